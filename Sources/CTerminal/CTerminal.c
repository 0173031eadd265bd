// SPDX-License-Identifier: MIT
// wcwidth and mkostemp are extensions.
#define _GNU_SOURCE
#include "CTerminal.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "Signals.h"

// MARK: State of the one open terminal (curses itself is global, so one is all there can be)

static SCREEN *screen;
static WINDOW *keyboard_window;
static FILE *keyboard;      // stdin, or /dev/tty
static bool keyboard_is_ours;
static bool paste_is_on;

int terminal_make_cell(cchar_t *cell, const wchar_t *text, attr_t attributes, int pair) {
  return setcchar(cell, text, attributes, 0, &pair);
}

int terminal_libc_width(uint32_t scalar) { return wcwidth((wchar_t)scalar); }

// MARK: Locale

static bool environment_names_utf8(void) {
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (value == NULL || *value == 0) continue;
    const char *codeset = strchr(value, '.');
    if (codeset == NULL) return false;
    return strncasecmp(codeset + 1, "utf-8", 5) == 0 || strncasecmp(codeset + 1, "utf8", 4) == 0;
  }
  return false;
}

static bool codeset_is_utf8(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

bool terminal_set_locale(bool prefer_utf8) {
  // Only LC_CTYPE: curses needs no more, and a decimal comma must not reach machine formats.
  bool known = setlocale(LC_CTYPE, "") != NULL;
  if (codeset_is_utf8()) return true;
  if (prefer_utf8 || (!known && environment_names_utf8())) setlocale(LC_CTYPE, "C.UTF-8");
  return codeset_is_utf8();
}

// MARK: Opening

static terminal_status open_keyboard(void) {
  keyboard = stdin;
  keyboard_is_ours = false;
  if (isatty(STDIN_FILENO)) return TERMINAL_OK;
  // A trace may come in through stdin; the keys then come from the terminal itself, as in less.
  keyboard = fopen("/dev/tty", "re");
  if (keyboard == NULL) return TERMINAL_NO_KEYBOARD;
  keyboard_is_ours = true;
  return TERMINAL_OK;
}

static void close_keyboard(void) {
  if (keyboard_is_ours) fclose(keyboard);
  keyboard = NULL;
  keyboard_is_ours = false;
}

static bool has_capability(const char *name) {
  const char *value = tigetstr((char *)name);
  return value != NULL && value != (char *)-1;
}

// newterm would find the same faults, but only after it wrote to the terminal.
static terminal_status check_terminal_type(void) {
  const char *type = getenv("TERM");
  if (type == NULL || *type == 0) return TERMINAL_TERM_MISSING;
  int error = 0;
  if (setupterm(type, STDOUT_FILENO, &error) != OK) return TERMINAL_TERM_UNKNOWN;
  bool usable = has_capability("cup") && has_capability("clear");
  del_curterm(cur_term);
  return usable ? TERMINAL_OK : TERMINAL_TERM_TOO_SIMPLE;
}

// Appends a capability without its padding ($<5>), which only tputs could interpret.
static size_t append_capability(char *text, size_t length, size_t capacity, const char *name) {
  if (!has_capability(name)) return length;
  for (const char *byte = tigetstr((char *)name); *byte != 0; byte++) {
    if (byte[0] == '$' && byte[1] == '<') {
      const char *end = strchr(byte, '>');
      if (end != NULL) {
        byte = end;
        continue;
      }
    }
    if (length < capacity) text[length++] = *byte;
  }
  return length;
}

static void prepare_crash_text(void) {
  char text[256];
  size_t length = 0;
  length = append_capability(text, length, sizeof text, "rmkx");
  length = append_capability(text, length, sizeof text, "sgr0");
  length = append_capability(text, length, sizeof text, "op");
  length = append_capability(text, length, sizeof text, "cnorm");
  if (has_capability("rmcup")) {
    length = append_capability(text, length, sizeof text, "rmcup");
  }
  // Without a second screen the cursor is somewhere in ours; at least start a line.
  if (length + 2 <= sizeof text) {
    text[length++] = '\r';
    text[length++] = '\n';
  }
  signals_set_crash_text(text, length);
}

// Ctrl-S and Ctrl-Q would stop and start the output, Ctrl-V and Ctrl-O be eaten by the driver.
static void free_control_keys(void) {
  struct termios modes;
  if (tcgetattr(fileno(keyboard), &modes) != 0) return;
  modes.c_iflag &= ~(tcflag_t)IXON;
  modes.c_lflag &= ~(tcflag_t)IEXTEN;
  tcsetattr(fileno(keyboard), TCSADRAIN, &modes);
  def_prog_mode();  // what comes back after a stop
}

terminal_status terminal_open(void) {
  if (screen != NULL) return TERMINAL_ALREADY_OPEN;
  if (!isatty(STDOUT_FILENO)) return TERMINAL_OUTPUT_IS_NO_TTY;
  terminal_status status = check_terminal_type();
  if (status != TERMINAL_OK) return status;
  status = open_keyboard();
  if (status != TERMINAL_OK) return status;

  if (!signals_prepare(fileno(keyboard))) {
    close_keyboard();
    return TERMINAL_SYSTEM_ERROR;
  }
  // The size comes from the terminal, never from a stale LINES or COLUMNS in the environment.
  use_env(FALSE);
  use_tioctl(TRUE);
  screen = newterm(NULL, stdout, keyboard);
  if (screen == NULL) {
    signals_remove();
    close_keyboard();
    return TERMINAL_TERM_UNKNOWN;
  }
  // curses cannot enlarge a pad to nothing, and never refreshes it on its own: ideal for keys.
  keyboard_window = newpad(1, 1);
  if (keyboard_window == NULL) {
    terminal_close();
    return TERMINAL_SYSTEM_ERROR;
  }
  cbreak();
  noecho();
  nonl();
  intrflush(keyboard_window, FALSE);
  nodelay(keyboard_window, TRUE);
  keypad(keyboard_window, TRUE);
  // The standard second makes Escape feel dead. Over a slow line users can ask for more.
  if (getenv("ESCDELAY") == NULL) set_escdelay(25);
  scrollok(stdscr, FALSE);
  free_control_keys();
  prepare_crash_text();
  signals_install();
  terminal_adopt_size();  // it may have changed before the handler was there
  return TERMINAL_OK;
}

void terminal_close(void) {
  if (screen == NULL) return;
  terminal_set_mouse(false);
  if (paste_is_on) terminal_set_paste(false);
  endwin();
  signals_remove();
  if (keyboard_window != NULL) delwin(keyboard_window);
  keyboard_window = NULL;
  delscreen(screen);
  screen = NULL;
  close_keyboard();
}

void terminal_set_mouse(bool on) {
  mouseinterval(0);  // else every click waits to see whether it becomes a double click
  mousemask(on ? terminal_mouse_mask() : 0, NULL);
  signals_set_mouse(on);
}

void terminal_set_paste(bool on) {
  const char *mode = on ? "\033[?2004h" : "\033[?2004l";
  terminal_send(mode, strlen(mode));
  paste_is_on = on;
  signals_set_paste(on);
}

void terminal_send(const char *bytes, size_t count) {
  if (screen == NULL) return;
  size_t done = 0;
  while (done < count) {
    ssize_t written = write(STDOUT_FILENO, bytes + done, count - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    done += (size_t)written;
  }
}

int terminal_keyboard_descriptor(void) { return keyboard == NULL ? -1 : fileno(keyboard); }

WINDOW *terminal_keyboard_window(void) { return keyboard_window; }

// MARK: Size, stopping and continuing

bool terminal_adopt_size(void) {
  struct winsize size;
  if (screen == NULL || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return false;
  // No size is what a terminal says that does not know; no screen can be empty.
  if (size.ws_row == 0 || size.ws_col == 0) return false;
  if (!is_term_resized(size.ws_row, size.ws_col)) return false;
  // Not resizeterm, which would also leave a KEY_RESIZE among the keys.
  resize_term(size.ws_row, size.ws_col);
  // Terminals differ in what they keep when their size changes.
  clearok(curscr, TRUE);
  return true;
}

void terminal_suspend(void) {
  // Curses knows of the mouse, but not of this. It comes back with terminal_resume.
  bool paste_was_on = paste_is_on;
  if (paste_was_on) terminal_set_paste(false);
  paste_is_on = paste_was_on;
  endwin();
  signals_stop_process();
}

bool terminal_resume(void) {
  if (screen == NULL) return false;
  reset_prog_mode();
  if (paste_is_on) terminal_set_paste(true);
  bool resized = terminal_adopt_size();
  clearok(curscr, TRUE);
  doupdate();  // after endwin this also enters the screen again and turns the mouse on
  return resized;
}
