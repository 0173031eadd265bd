// SPDX-License-Identifier: MIT
// Everything here that runs inside a handler uses async-signal-safe calls only: write, read,
// lseek, dup2, tcsetattr, tcgetpgrp, getpgrp, sigaction, raise.
#define _GNU_SOURCE  // mkostemp
#include "Signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "CTerminal.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

// Signals that end a process which does not handle them. Real-time signals do so too.
static const int crash_signals[] = {SIGILL, SIGTRAP, SIGSEGV,   SIGBUS,  SIGFPE,    SIGABRT,
                                    SIGSYS, SIGQUIT, SIGUSR1,   SIGUSR2, SIGALRM,   SIGVTALRM,
                                    SIGPROF, SIGPOLL, SIGXCPU,  SIGXFSZ, SIGSTKFLT, SIGPWR};
// How many of them are faults of the program itself, which nobody can have asked to ignore.
#define FAULTS 7
static const int quit_signals[] = {SIGINT, SIGTERM, SIGHUP};
static const int other_signals[] = {SIGTSTP, SIGCONT, SIGWINCH, SIGPIPE};

static struct sigaction old_crash[COUNT(crash_signals)];
static struct sigaction old_realtime[NSIG];
static struct sigaction old_quit[COUNT(quit_signals)];
static struct sigaction old_other[COUNT(other_signals)];

static struct termios saved_modes;
static bool modes_are_saved;
static int modes_descriptor = -1;
static char crash_text[256];
static size_t crash_text_length;
static volatile sig_atomic_t mouse_is_on, paste_is_on;
static volatile sig_atomic_t notes_quit, notes_stop, notes_continue, notes_resize;
static volatile sig_atomic_t quit_signal;
static int pipe_read = -1, pipe_write = -1;
static int real_stderr = -1, captured_stderr = -1;
static void *alternate_stack;
static stack_t old_stack;

// MARK: stderr

// A fatal error's text would be painted over the screen and vanish with it.
static void capture_stderr(void) {
  // Redirected by the user: it does not reach the screen, and belongs where they sent it.
  if (!isatty(STDERR_FILENO)) return;
  const char *folder = getenv("TMPDIR");
  char path[4096];
  if (folder == NULL || *folder == 0 || strlen(folder) > sizeof path - 32) folder = "/tmp";
  strcpy(path, folder);
  strcat(path, "/terminal-XXXXXX");
  int file = mkostemp(path, O_CLOEXEC | O_APPEND);
  if (file < 0) return;  // better a spoilt screen than no program
  unlink(path);
  int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
  if (copy < 0 || dup2(file, STDERR_FILENO) < 0) {
    if (copy >= 0) close(copy);
    close(file);
    return;
  }
  real_stderr = copy;
  captured_stderr = file;
}

static void write_all(int descriptor, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(descriptor, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes += written;
    length -= (size_t)written;
  }
}

static void release_stderr(void) {
  if (real_stderr < 0) return;
  dup2(real_stderr, STDERR_FILENO);
  char chunk[1024];
  off_t at = 0;
  ssize_t got;
  while ((got = pread(captured_stderr, chunk, sizeof chunk, at)) > 0) {
    write_all(real_stderr, chunk, (size_t)got);
    at += got;
  }
  close(real_stderr);
  close(captured_stderr);
  real_stderr = captured_stderr = -1;
}

// MARK: Handlers

static void note(volatile sig_atomic_t *flag) {
  int saved_errno = errno;
  *flag = 1;
  // Full is fine: then the loop is about to wake up anyway.
  ssize_t written = write(pipe_write, "!", 1);
  (void)written;
  errno = saved_errno;
}

static void handle_quit(int number, siginfo_t *information, void *context) {
  (void)context;
  // From the terminal's driver it is a key: Ctrl-C.
  bool is_key = number == SIGINT && information->si_code == SI_KERNEL;
  if (!is_key) quit_signal = number;
  note(&notes_quit);
}

static void handle_stop(int number) {
  (void)number;
  note(&notes_stop);
}

static void handle_continue(int number) {
  (void)number;
  note(&notes_continue);
}

static void handle_resize(int number) {
  (void)number;
  note(&notes_resize);
}

static void leave_terminal(void) {
  // In the background the shell already has the terminal, in modes of its own.
  pid_t foreground = tcgetpgrp(STDOUT_FILENO);
  if (foreground > 0 && foreground != getpgrp()) return;
  static const char mouse_off[] = "\033[?1006l\033[?1003l\033[?1002l\033[?1000l";
  if (mouse_is_on) write_all(STDOUT_FILENO, mouse_off, sizeof mouse_off - 1);
  static const char paste_off[] = "\033[?2004l";
  if (paste_is_on) write_all(STDOUT_FILENO, paste_off, sizeof paste_off - 1);
  write_all(STDOUT_FILENO, crash_text, crash_text_length);
  if (modes_are_saved) tcsetattr(modes_descriptor, TCSANOW, &saved_modes);
}

static void handle_crash(int number, siginfo_t *information, void *context) {
  (void)context;
  // Every old action first: whatever goes wrong below must not come back here.
  const struct sigaction *old = NULL;
  for (size_t i = 0; i < COUNT(crash_signals); i++) {
    sigaction(crash_signals[i], &old_crash[i], NULL);
    if (crash_signals[i] == number) old = &old_crash[i];
  }
  for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
    sigaction(i, &old_realtime[i], NULL);
    if (i == number) old = &old_realtime[i];
  }
  leave_terminal();
  release_stderr();
  if (old != NULL && !(old->sa_flags & SA_SIGINFO) && old->sa_handler == SIG_IGN) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(number, &standard, NULL);
  }
  // A faulting instruction runs again on return and meets the old action with its own context,
  // which a backtrace needs. The others have to be sent again.
  bool faults_again = information->si_code > 0 && (number == SIGILL || number == SIGSEGV ||
                                                   number == SIGBUS || number == SIGFPE);
  if (!faults_again) raise(number);
}

// MARK: Installing

static void give_alternate_stack(void) {
  // A stack overflow leaves no stack to handle it on. An existing one (of a sanitizer or of
  // Swift's backtracer) is as good.
  stack_t present;
  if (sigaltstack(NULL, &present) != 0 || !(present.ss_flags & SS_DISABLE)) return;
  size_t size = 64 * 1024;
  alternate_stack = malloc(size);
  if (alternate_stack == NULL) return;
  stack_t stack = {.ss_sp = alternate_stack, .ss_size = size};
  if (sigaltstack(&stack, &old_stack) != 0) {
    free(alternate_stack);
    alternate_stack = NULL;
  }
}

bool signals_prepare(int keyboard_descriptor) {
  int ends[2];
  if (pipe(ends) != 0) return false;
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
  }
  pipe_read = ends[0];
  pipe_write = ends[1];
  notes_quit = notes_stop = notes_continue = notes_resize = 0;
  quit_signal = 0;
  mouse_is_on = paste_is_on = 0;
  crash_text_length = 0;
  modes_descriptor = keyboard_descriptor;
  modes_are_saved = tcgetattr(keyboard_descriptor, &saved_modes) == 0;

  for (size_t i = 0; i < COUNT(crash_signals); i++) {
    sigaction(crash_signals[i], NULL, &old_crash[i]);
  }
  for (int i = SIGRTMIN; i <= SIGRTMAX; i++) sigaction(i, NULL, &old_realtime[i]);
  for (size_t i = 0; i < COUNT(quit_signals); i++) sigaction(quit_signals[i], NULL, &old_quit[i]);
  for (size_t i = 0; i < COUNT(other_signals); i++) {
    sigaction(other_signals[i], NULL, &old_other[i]);
  }
  capture_stderr();
  return true;
}

static bool is_ignored(const struct sigaction *action) {
  return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN;
}

void signals_install(void) {
  give_alternate_stack();
  struct sigaction crash = {.sa_sigaction = handle_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&crash.sa_mask);
  for (size_t i = 0; i < COUNT(crash_signals); i++) {
    if (i < FAULTS || !is_ignored(&old_crash[i])) sigaction(crash_signals[i], &crash, NULL);
  }
  for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
    if (!is_ignored(&old_realtime[i])) sigaction(i, &crash, NULL);
  }

  struct sigaction quit = {.sa_sigaction = handle_quit, .sa_flags = SA_RESTART | SA_SIGINFO};
  sigemptyset(&quit.sa_mask);
  for (size_t i = 0; i < COUNT(quit_signals); i++) {
    // nohup and background jobs of plain shells ignore them on purpose.
    if (!is_ignored(&old_quit[i])) sigaction(quit_signals[i], &quit, NULL);
  }

  struct sigaction action = {.sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  if (!is_ignored(&old_other[0])) {
    // The handler of curses would leave the screen and allocate inside the handler.
    action.sa_handler = handle_stop;
    sigaction(SIGTSTP, &action, NULL);
  }
  action.sa_handler = handle_continue;
  sigaction(SIGCONT, &action, NULL);
  // Curses would only set a flag, which nobody sees while poll waits and the signal went to
  // another thread.
  action.sa_handler = handle_resize;
  sigaction(SIGWINCH, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

void signals_remove(void) {
  for (size_t i = 0; i < COUNT(crash_signals); i++) {
    sigaction(crash_signals[i], &old_crash[i], NULL);
  }
  for (int i = SIGRTMIN; i <= SIGRTMAX; i++) sigaction(i, &old_realtime[i], NULL);
  for (size_t i = 0; i < COUNT(quit_signals); i++) sigaction(quit_signals[i], &old_quit[i], NULL);
  for (size_t i = 0; i < COUNT(other_signals); i++) {
    sigaction(other_signals[i], &old_other[i], NULL);
  }
  if (alternate_stack != NULL) {
    sigaltstack(&old_stack, NULL);
    free(alternate_stack);
    alternate_stack = NULL;
  }
  release_stderr();
  if (pipe_read >= 0) close(pipe_read);
  if (pipe_write >= 0) close(pipe_write);
  pipe_read = pipe_write = -1;
  modes_are_saved = false;
}

void signals_set_crash_text(const char *text, size_t length) {
  crash_text_length = length < sizeof crash_text ? length : sizeof crash_text;
  memcpy(crash_text, text, crash_text_length);
}

void signals_set_mouse(bool on) { mouse_is_on = on; }

void signals_set_paste(bool on) { paste_is_on = on; }

void signals_stop_process(void) {
  struct sigaction standard = {.sa_handler = SIG_DFL}, ours;
  sigemptyset(&standard.sa_mask);
  sigaction(SIGTSTP, &standard, &ours);
  raise(SIGTSTP);  // returns after SIGCONT
  sigaction(SIGTSTP, &ours, NULL);
}

// MARK: The loop's side

int terminal_signal_descriptor(void) { return pipe_read; }

int terminal_quit_signal(void) { return quit_signal; }

// Cleared before it is reported: a signal in between is then reported again, never lost.
static int take(volatile sig_atomic_t *flag, int bit) {
  if (!*flag) return 0;
  *flag = 0;
  return bit;
}

int terminal_take_notes(void) {
  char drain[64];
  while (read(pipe_read, drain, sizeof drain) > 0) continue;
  return take(&notes_quit, TERMINAL_NOTE_QUIT) | take(&notes_stop, TERMINAL_NOTE_STOP) |
         take(&notes_continue, TERMINAL_NOTE_CONTINUE) | take(&notes_resize, TERMINAL_NOTE_RESIZE);
}
