"""Commands for the threads of the nuos kernel, which gdb does not know as such:
its threads are the machine's processors.

    info kthreads        list the kernel's threads
    kthread N COMMAND    run a gdb command, such as bt, as if thread N were selected
    kthread all COMMAND  the same for all threads
"""

import gdb


def variable(name):
    return gdb.parse_and_eval("'nuos/kernel.%s'" % name)


def threads():
    """Yield the number and the value of each thread."""
    pointer = gdb.lookup_type("nuos/kernel.thread").pointer()
    table = variable("threads")
    low, high = table.type.range()
    size = table.type.target().sizeof
    raw = gdb.selected_inferior().read_memory(int(table.address), (high - low + 1) * size).tobytes()
    for tid in range(high - low + 1):
        address = int.from_bytes(raw[tid * size:(tid + 1) * size], "little")
        if address:
            yield tid, gdb.Value(address).cast(pointer).dereference()


STATES = {"ready": "ready", "running": "running", "blocked": "blocked", "deaf": "blocked", "claimed": "ready"}


def state(thread):
    """Name the state of a thread."""
    constant = lambda name: int(gdb.parse_and_eval("'nuos/kernel/internal/sched.%s'" % name))
    bits = int(thread["task"]["state"]["v"]) & constant("stateBits")
    for name, shown in STATES.items():
        if bits == constant(name):
            return shown
    return "new"


def processor_number(thread):
    """Return the processor on which a thread runs, or ran last."""
    return int(thread["task"]["cpu"]["v"])


def call(thread):
    """Name the system call that a thread has made last."""
    stretches, number = variable("callNames"), int(thread["nr"])
    for i in range(stretches.type.range()[1] + 1):
        names = stretches[i]["names"]
        names = names["str"].string(length=int(names["len"])).split()
        at = number - int(stretches[i]["first"])
        if 0 <= at < len(names):
            return names[at]
    return "call %d" % number


def processor(thread):
    """Return the gdb thread that is the processor on which a thread runs, if it is
    in the program there: its registers are the processor's then, else its own."""
    if state(thread) != "running":
        return None
    block = variable("cpus")[processor_number(thread)]
    if int(block["mode"]) != int(variable("modeUser")):
        return None
    for t in gdb.selected_inferior().threads():
        if t.num == processor_number(thread) + 1:
            return t
    return None


def place(pc):
    block = gdb.block_for_pc(pc)
    while block and not block.function:
        block = block.superblock
    at = gdb.find_pc_line(pc)
    name = block.function.name if block else "?"
    return "%s  %s:%d" % (name, at.symtab.filename, at.line) if at.symtab else name


class InfoThreads(gdb.Command):
    "List the threads of the nuos kernel."

    def __init__(self):
        super().__init__("info kthreads", gdb.COMMAND_STATUS)

    def invoke(self, arg, from_tty):
        for tid, t in threads():
            doing = state(t)
            pc = int(t["ip"])
            selected = gdb.selected_thread()
            on = processor(t)
            if on:
                on.switch()
                pc = int(gdb.selected_frame().pc())
                selected.switch()
            where = " in " + call(t) if doing == "blocked" else ""
            print("%4d  processor %d  %s%s  %s" % (tid, processor_number(t), doing, where, place(pc)))


class Thread(gdb.Command):
    "Run a command as if a thread of the nuos kernel were selected: kthread N COMMAND."

    # Registers that make a stack; all others keep the processor's values.
    registers = {"rsp": "sp", "rbp": "bp", "rip": "ip"}

    def __init__(self):
        super().__init__("kthread", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, arg, from_tty):
        number, _, command = arg.partition(" ")
        wanted = [(n, t) for n, t in threads() if number == "all" or number == str(n)]
        if not wanted or not command:
            raise gdb.GdbError("kthread N COMMAND, or kthread all COMMAND; info kthreads lists them")
        for n, t in wanted:
            if number == "all":
                print("\nthread %d:" % n)
            self.run(t, command)

    def run(self, t, command):
        selected, on = gdb.selected_thread(), processor(t)
        if on:
            on.switch()
            try:
                gdb.execute(command)
            finally:
                selected.switch()
            return
        frame = gdb.newest_frame()
        frame.select()
        saved = {r: int(frame.read_register(r)) & (1 << 64) - 1 for r in self.registers}
        values = {r: int(t[field]) for r, field in self.registers.items()}
        try:
            for r, v in values.items():
                gdb.execute("set $%s = %d" % (r, v))
            gdb.execute(command)
        finally:
            gdb.newest_frame().select()
            for r, v in saved.items():
                gdb.execute("set $%s = %d" % (r, v))


InfoThreads()
Thread()
