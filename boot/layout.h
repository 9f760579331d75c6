// Layout of the first address space; layout.go has the same numbers and says
// what they mean.
#define DIRECT_MAP $0x700000000000
#define DIRECT_SLOT 224                 // DIRECT_MAP >> 39: its entry in the PML4
#define STACK_SIZE 65536

// The boot page tables, in pages from the first page boundary in ·tables.
#define PML4            0x0000
#define PDPT_IDENTITY   0x1000
#define PDPT_DIRECT     0x2000
#define PD_IMAGE        0x3000          // 0-1 GiB where the image is linked
#define PD_DIRECT       0x4000          // 0-4 GiB, four tables
#define PT_IMAGE        0x8000          // 0-128 MiB, 64 tables of 4 KiB pages
#define PT_IMAGE_COUNT  64
#define TABLES_SIZE     0x49000         // 0x48000 and room to align

#define PRESENT_WRITE   0x03
#define PRESENT_WRITE_2M 0x83

// Fields of the stamp (stamp.go).
#define STAMP_SELF      8
#define STAMP_START     16
#define STAMP_END       24
#define STAMP_MIN_MEMORY 40
#define STAMP_VERSION   $2              // its first word

// Selectors of ·gdt.
#define CODE64 $0x08
#define DATA64 $0x10
