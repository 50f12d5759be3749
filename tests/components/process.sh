# Processes that go on when the script that started them has ended. Sourced by the scripts beside it and by the example's.
#
# A file holds the pid of each, and when that process began: once the machine was started anew, or the process is gone, the
# pid alone may be that of a stranger.

# began PID: when it began; nothing if there is none, or if it has ended and nobody has asked how.
began() {
  if [ -d /proc/self ]; then
    sed -n 's/.*) \([^Z] .*\)/\1/p' "/proc/$1/stat" 2> /dev/null | cut -d ' ' -f 20
  else
    ps -o lstart= -p "$1" | tr -d ' '
  fi
}

# keep_pid FILE PID: notes a process that was just started.
keep_pid() { echo "$2 $(began "$2")" > "$1"; }

# pid_of FILE: the process, while it is there.
pid_of() {
  local pid since
  read -r pid since 2> /dev/null < "$1" || return 1
  [ -n "$since" ] && [ "$since" = "$(began "$pid")" ] && echo "$pid"
}

# is_alive FILE
is_alive() { pid_of "$1" > /dev/null; }

# end_process FILE [SECONDS]: asks it to end, and makes it end if it has not by then.
end_process() {
  local pid
  if pid=$(pid_of "$1"); then
    kill "$pid"
    for _ in $(seq $((${2:-20} * 10))); do is_alive "$1" || break; sleep 0.1; done
    kill_process "$1"
  fi
  rm -f "$1"
}

# kill_process FILE: pulls its plug.
kill_process() {
  local pid
  if pid=$(pid_of "$1"); then kill -9 "$pid"; fi
  for _ in $(seq 100); do is_alive "$1" || break; sleep 0.1; done
  rm -f "$1"
}
