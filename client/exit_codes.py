"""Name the exit codes, so that scripts can tell apart what happened."""

FAILED = 1  # a job failed, or was canceled
REFUSED = 2  # the request is at fault, or the command line itself (as with any other command)
UNREACHABLE = 3  # nobody answers at the address, or only "later", for longer than our patience
INTERRUPTED = 130  # Ctrl-C, as shells count it: 128 + SIGINT
BROKEN_PIPE = 141  # who read our output went away: 128 + SIGPIPE
