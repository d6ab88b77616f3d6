// A piece of a test in a process of its own, so that its memory, its limits and its death are its own.
#pragma once
#ifndef _WIN32
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace grym::testing {

struct ChildEnd {
  int code = -1;    // of _exit, -1 when a signal ended it
  int signal = 0;   // that ended it, or 0
  int64_t peak_bytes = 0;
  double seconds = 0;      // by the clock
  double cpu_seconds = 0;  // of its own work, however busy the machine is
};

// Runs `body`, which answers an exit code, in a child; -1 and no signal when there is no child to be had.
template <class Body>
ChildEnd InChild(Body body) {
  const auto started = std::chrono::steady_clock::now();
  ChildEnd end;
  const pid_t child = fork();
  if (child < 0) return end;
  if (child == 0) {
    alarm(120);  // a child that hangs is a failure, not a hang of the tests
    _exit(body());
  }
  int state = 0;
  struct rusage usage {};
  wait4(child, &state, 0, &usage);
  end.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (WIFEXITED(state)) end.code = WEXITSTATUS(state);
  if (WIFSIGNALED(state)) end.signal = WTERMSIG(state);
  const auto seconds_of = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec * 1e-6; };
  end.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
#ifdef __APPLE__
  end.peak_bytes = usage.ru_maxrss;
#else
  end.peak_bytes = usage.ru_maxrss * int64_t{1024};
#endif
  return end;
}

}  // namespace grym::testing
#endif
