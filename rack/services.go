package rack

// Service names what a request is for; each number has one handler on a
// machine.
type Service uint16

// Services below ServiceMembers are administrative: observers may call them.
// Services below ServiceOrdinary are the system's own and never wait for the
// credits of ordinary calls, so that calls which wait for a move to end cannot
// hold up the move.
const (
	ServiceStatus       Service = 1 // rack.Status as JSON
	ServiceDrain        Service = 2 // drain this machine
	ServiceProcletAdmin Service = 3 // what lives here; for nuos ps
	ServiceMigrateAdmin Service = 4 // move a proclet; for nuos migrate
	ServiceLog          Service = 5 // free for images: read the console's last lines
	ServiceStress       Service = 6 // take memory or processors; for nuos stress
	ServiceEvents       Service = 7 // what was decided, and why; for nuos events

	ServiceMembers   Service = 16
	ServiceDirectory Service = 16 // commands to the directory
	ServiceView      Service = 17 // how a rack is founded; who is a member
	ServiceMigrate   Service = 18 // between two migrators
	ServiceReference Service = 19 // proclet reference counts
	ServicePlacement Service = 20 // between machines that balance their load, and with the leader
	ServiceReplica   Service = 21 // between the directory's replicas

	ServiceOrdinary Service = 64
	ServiceProclet  Service = 64 // calls of proclet methods
	// ServiceUser is the first number for programs.
	ServiceUser Service = 1024
)

// Administrative reports whether observers may call s.
func (s Service) Administrative() bool { return s < ServiceMembers }
