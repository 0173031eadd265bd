#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include "CTerminal.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

static SCREEN *screen;
static struct termios saved_termios;
static bool has_saved_termios;
static int saved_stderr = -1;
static int log_file = -1;
static int wake_pipe[2] = {-1, -1};

// What puts the terminal back, as bytes made at start: a signal handler may not ask terminfo.
static char restore_bytes[512];
static size_t restore_length;

static const int crash_signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS,
                                    SIGFPE, SIGABRT, SIGQUIT, SIGSYS};
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals };
static struct sigaction old_crash_actions[CRASH_SIGNALS];
static const int quit_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { QUIT_SIGNALS = sizeof quit_signals / sizeof *quit_signals };
static struct sigaction old_quit_actions[QUIT_SIGNALS];
static struct sigaction old_pipe_action;
static char *alternate_stack;

bool ct_set_locale(void) {
  setlocale(LC_ALL, "");
  return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void add_restore(const char *capability) {
  const char *text = tigetstr(capability);
  if (text == NULL || text == (const char *)-1) return;
  size_t length = strlen(text);
  if (restore_length + length > sizeof restore_bytes) return;
  memcpy(restore_bytes + restore_length, text, length);
  restore_length += length;
}

// Only async-signal-safe calls from here to the end of the handlers.
static void restore_terminal_raw(void) {
  ssize_t ignored = write(STDOUT_FILENO, restore_bytes, restore_length);
  (void)ignored;
  if (has_saved_termios) tcsetattr(STDIN_FILENO, TCSANOW, &saved_termios);
  if (saved_stderr >= 0) dup2(saved_stderr, STDERR_FILENO);
}

static void crash_handler(int number) {
  restore_terminal_raw();
  for (int i = 0; i < CRASH_SIGNALS; i++) {
    if (crash_signals[i] == number) sigaction(number, &old_crash_actions[i], NULL);
  }
  // Whoever came before (a backtracer, a sanitizer, the default) finishes the work.
  raise(number);
}

static void quit_handler(int number) {
  (void)number;
  int saved_errno = errno;
  ssize_t ignored = write(wake_pipe[1], "q", 1);
  (void)ignored;
  errno = saved_errno;
}

static void take_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = quit_handler;
  for (int i = 0; i < QUIT_SIGNALS; i++) {
    sigaction(quit_signals[i], &action, &old_quit_actions[i]);
  }
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, &old_pipe_action);

  // A stack overflow leaves no room on the ordinary stack.
  const size_t stack_size = 65536;
  alternate_stack = malloc(stack_size);
  if (alternate_stack != NULL) {
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = stack_size};
    sigaltstack(&stack, NULL);
  }
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = crash_handler;
  action.sa_flags = SA_ONSTACK;
  for (int i = 0; i < CRASH_SIGNALS; i++) {
    sigaction(crash_signals[i], &action, &old_crash_actions[i]);
  }
}

static void give_signals_back(void) {
  for (int i = 0; i < QUIT_SIGNALS; i++) sigaction(quit_signals[i], &old_quit_actions[i], NULL);
  for (int i = 0; i < CRASH_SIGNALS; i++) {
    sigaction(crash_signals[i], &old_crash_actions[i], NULL);
  }
  sigaction(SIGPIPE, &old_pipe_action, NULL);
}

// Messages of the runtime would be painted over; they wait in a file until the screen is gone.
static void redirect_stderr(void) {
  char name[] = "/tmp/dmatop-stderr-XXXXXX";
  log_file = mkstemp(name);
  if (log_file < 0) return;
  unlink(name);
  fcntl(log_file, F_SETFD, FD_CLOEXEC);
  saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved_stderr >= 0) dup2(log_file, STDERR_FILENO);
}

static void give_stderr_back(void) {
  if (saved_stderr >= 0) {
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    saved_stderr = -1;
  }
  if (log_file >= 0) {
    char buffer[4096];
    ssize_t count;
    lseek(log_file, 0, SEEK_SET);
    while ((count = read(log_file, buffer, sizeof buffer)) > 0) {
      ssize_t ignored = write(STDERR_FILENO, buffer, (size_t)count);
      (void)ignored;
    }
    close(log_file);
    log_file = -1;
  }
}

enum ct_status ct_open(bool want_colour) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return CT_NOT_A_TERMINAL;
  const char *name = getenv("TERM");
  int error = 0;
  if (name == NULL || *name == '\0' || setupterm(name, STDOUT_FILENO, &error) != OK) {
    return CT_UNKNOWN_TERMINAL;
  }
  has_saved_termios = tcgetattr(STDIN_FILENO, &saved_termios) == 0;
  if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return CT_FAILED;
  set_escdelay(25);
  screen = newterm(NULL, stdout, stdin);
  if (screen == NULL) return CT_UNKNOWN_TERMINAL;
  restore_length = 0;
  add_restore("sgr0");
  add_restore("cnorm");
  add_restore("rmkx");
  add_restore("rmcup");
  cbreak();
  noecho();
  nonl();
  intrflush(stdscr, FALSE);
  keypad(stdscr, TRUE);
  // Sequences that terminfo entries often lack.
  define_key("\033[Z", KEY_BTAB);
  define_key("\033[1~", KEY_HOME);
  define_key("\033[4~", KEY_END);
  define_key("\033[H", KEY_HOME);
  define_key("\033[F", KEY_END);
  if (want_colour && has_colors()) {
    start_color();
    use_default_colors();
  }
  curs_set(0);
  redirect_stderr();
  take_signals();
  return CT_OK;
}

void ct_close(void) {
  if (screen == NULL) return;
  curs_set(1);
  endwin();
  delscreen(screen);
  screen = NULL;
  give_signals_back();
  give_stderr_back();
  close(wake_pipe[0]);
  close(wake_pipe[1]);
  wake_pipe[0] = wake_pipe[1] = -1;
}

int ct_width(void) { return getmaxx(stdscr); }
int ct_height(void) { return getmaxy(stdscr); }
int ct_colours(void) { return has_colors() ? COLORS : 0; }
void ct_erase(void) { werase(stdscr); }
void ct_redraw(void) { clearok(curscr, TRUE); }

// The pairs made so far; a theme has a few dozen.
static struct { short foreground, background; } pairs[256];
static int pair_count = 1;

static short pair_of(int foreground, int background) {
  if (foreground < 0 && background < 0) return 0;
  for (int i = 1; i < pair_count; i++) {
    if (pairs[i].foreground == foreground && pairs[i].background == background) return (short)i;
  }
  if (pair_count >= 256 || pair_count >= COLOR_PAIRS) return 0;
  init_pair((short)pair_count, (short)foreground, (short)background);
  pairs[pair_count].foreground = (short)foreground;
  pairs[pair_count].background = (short)background;
  return (short)pair_count++;
}

void ct_draw(int y, int x, const uint32_t *text, int count, int attributes, int foreground,
             int background) {
  attr_t style = A_NORMAL;
  if (attributes & CT_BOLD) style |= A_BOLD;
  if (attributes & CT_DIM) style |= A_DIM;
  if (attributes & CT_REVERSE) style |= A_REVERSE;
  if (attributes & CT_UNDERLINE) style |= A_UNDERLINE;
  attr_set(style, has_colors() ? pair_of(foreground, background) : 0, NULL);
  wchar_t buffer[256];
  while (count > 0) {
    int length = count < 255 ? count : 255;
    for (int i = 0; i < length; i++) buffer[i] = (wchar_t)text[i];
    if (x >= 0) {
      // Writing the last cell of the screen reports an error and draws it all the same.
      mvwaddnwstr(stdscr, y, x, buffer, length);
      x = -1;
    } else {
      waddnwstr(stdscr, buffer, length);
    }
    text += length;
    count -= length;
  }
}

void ct_flush(int cursor_y, int cursor_x) {
  if (cursor_y >= 0) {
    leaveok(stdscr, FALSE);
    wmove(stdscr, cursor_y, cursor_x);
    curs_set(1);
  } else {
    leaveok(stdscr, TRUE);
    curs_set(0);
  }
  wnoutrefresh(stdscr);
  doupdate();
}

static enum ct_key translate(wint_t key, uint32_t *code) {
  switch (key) {
    case KEY_UP: return CT_KEY_UP;
    case KEY_DOWN: return CT_KEY_DOWN;
    case KEY_LEFT: return CT_KEY_LEFT;
    case KEY_RIGHT: return CT_KEY_RIGHT;
    case KEY_HOME: return CT_KEY_HOME;
    case KEY_END: return CT_KEY_END;
    case KEY_PPAGE: return CT_KEY_PAGE_UP;
    case KEY_NPAGE: return CT_KEY_PAGE_DOWN;
    case KEY_ENTER: return CT_KEY_ENTER;
    case KEY_BACKSPACE: return CT_KEY_BACKSPACE;
    case KEY_DC: return CT_KEY_DELETE;
    case KEY_IC: return CT_KEY_INSERT;
    case KEY_BTAB: return CT_KEY_BACK_TAB;
    case KEY_RESIZE: return CT_KEY_RESIZE;
    default:
      if (key >= KEY_F(1) && key <= KEY_F(24)) {
        *code = (uint32_t)(key - KEY_F0);
        return CT_KEY_FUNCTION;
      }
      return CT_KEY_OTHER;
  }
}

static enum ct_key read_key(uint32_t *code) {
  wint_t key = 0;
  wtimeout(stdscr, 0);
  int result = wget_wch(stdscr, &key);
  if (result == ERR) return CT_KEY_NONE;
  if (result == KEY_CODE_YES) return translate(key, code);
  switch (key) {
    case '\r':
    case '\n': return CT_KEY_ENTER;
    case 27: return CT_KEY_ESCAPE;
    case 9: return CT_KEY_TAB;
    case 8:
    case 127: return CT_KEY_BACKSPACE;
    default:
      *code = (uint32_t)key;
      return CT_KEY_CHARACTER;
  }
}

enum ct_key ct_wait(int milliseconds, int descriptor, uint32_t *code) {
  // Keys that curses has already read, and a resize that it has noticed, come first.
  enum ct_key key = read_key(code);
  if (key != CT_KEY_NONE) return key;
  struct pollfd descriptors[3] = {
      {.fd = STDIN_FILENO, .events = POLLIN},
      {.fd = wake_pipe[0], .events = POLLIN},
      {.fd = descriptor, .events = POLLIN},
  };
  int ready = poll(descriptors, descriptor >= 0 ? 3 : 2, milliseconds);
  if (descriptors[1].revents & POLLIN) {
    char byte;
    while (read(wake_pipe[0], &byte, 1) > 0) {}
    return CT_KEY_QUIT;
  }
  // After a hang-up there is nobody to show anything to.
  if (ready > 0 && (descriptors[0].revents & (POLLHUP | POLLERR | POLLNVAL)) &&
      !(descriptors[0].revents & POLLIN)) {
    return CT_KEY_QUIT;
  }
  return read_key(code);
}
