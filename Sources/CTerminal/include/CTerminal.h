// SPDX-License-Identifier: MIT
// What TerminalKit needs from ncursesw and from signals, in a form that Swift can import.
//
// Swift sees neither macros that are expressions (A_BOLD, BUTTON1_PRESSED) nor mutable C globals
// (stdscr, LINES), and the numbers behind them differ between builds of ncurses; so each gets an
// accessor here instead of a copied constant.
#pragma once

// The wide calls are hidden without it, and it must agree with linking ncursesw, not ncurses.
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

// MARK: Constants and globals of curses

static inline WINDOW *terminal_stdscr(void) { return stdscr; }
static inline WINDOW *terminal_curscr(void) { return curscr; }
static inline int terminal_lines(void) { return LINES; }
static inline int terminal_columns(void) { return COLS; }
static inline int terminal_colors(void) { return COLORS; }
static inline int terminal_color_pairs(void) { return COLOR_PAIRS; }

static inline attr_t terminal_attribute_bold(void) { return A_BOLD; }
static inline attr_t terminal_attribute_dim(void) { return A_DIM; }
static inline attr_t terminal_attribute_reverse(void) { return A_REVERSE; }
static inline attr_t terminal_attribute_underline(void) { return A_UNDERLINE; }

/// Press and release of the three buttons, and the wheel, which is presses of buttons 4 and 5.
static inline mmask_t terminal_mouse_mask(void) {
  return BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON2_PRESSED | BUTTON2_RELEASED |
         BUTTON3_PRESSED | BUTTON3_RELEASED | BUTTON4_PRESSED | BUTTON5_PRESSED;
}
/// The button (1...5) that went down in this event, or 0.
static inline int terminal_mouse_pressed(mmask_t state) {
  return (state & BUTTON1_PRESSED)   ? 1
         : (state & BUTTON2_PRESSED) ? 2
         : (state & BUTTON3_PRESSED) ? 3
         : (state & BUTTON4_PRESSED) ? 4
         : (state & BUTTON5_PRESSED) ? 5
                                     : 0;
}
/// The button (1...3) that went up in this event, or 0.
static inline int terminal_mouse_released(mmask_t state) {
  return (state & BUTTON1_RELEASED)   ? 1
         : (state & BUTTON2_RELEASED) ? 2
         : (state & BUTTON3_RELEASED) ? 3
                                      : 0;
}

/// Makes one cell. The pair goes through the extension of setcchar, so it may exceed a short.
int terminal_make_cell(cchar_t *cell, const wchar_t *text, attr_t attributes, int pair);

// MARK: Locale

/// The column count that the C library, and so ncurses, gives to a character; -1: not printable.
int terminal_libc_width(uint32_t scalar);

/// Takes LC_CTYPE from the environment and says whether it is UTF-8. With `prefer_utf8`, or when
/// the environment names a UTF-8 locale that is not installed, C.UTF-8 stands in.
bool terminal_set_locale(bool prefer_utf8);

// MARK: Opening and closing

typedef enum {
  TERMINAL_OK = 0,
  TERMINAL_ALREADY_OPEN,
  TERMINAL_OUTPUT_IS_NO_TTY,
  TERMINAL_NO_KEYBOARD,
  TERMINAL_TERM_MISSING,
  TERMINAL_TERM_UNKNOWN,
  TERMINAL_TERM_TOO_SIMPLE,
  TERMINAL_SYSTEM_ERROR,
} terminal_status;

/// Starts curses on stdout and on stdin (or /dev/tty when stdin is something else), captures
/// stderr if that is a terminal too, and installs the signal handlers.
terminal_status terminal_open(void);

/// Undoes terminal_open in reverse order. Harmless when nothing is open.
void terminal_close(void);

/// Turns mouse reports on or off, and tells the crash handler about it.
void terminal_set_mouse(bool on);

/// Turns the marks around pasted text on or off, and tells the crash handler about it.
void terminal_set_paste(bool on);

/// Writes bytes to the terminal as they are, after whatever curses wrote.
void terminal_send(const char *bytes, size_t count);

/// Where key presses come from; for poll.
int terminal_keyboard_descriptor(void);

/// A window for reading keys only. Reading from stdscr would repaint it as a side effect.
WINDOW *terminal_keyboard_window(void);

// MARK: Signals

/// What the signal handlers noted since the last call.
enum {
  TERMINAL_NOTE_QUIT = 1,      // SIGINT, SIGTERM or SIGHUP
  TERMINAL_NOTE_STOP = 2,      // SIGTSTP
  TERMINAL_NOTE_CONTINUE = 4,  // SIGCONT
  TERMINAL_NOTE_RESIZE = 8,    // SIGWINCH
};

/// Readable when a signal came in; for poll.
int terminal_signal_descriptor(void);

/// The notes since the last call, as TERMINAL_NOTE_ bits; empties the pipe.
int terminal_take_notes(void);

/// Adopts the terminal's size if it changed, and repaints with the next update. True if it did.
bool terminal_adopt_size(void);

/// Leaves the screen, stops the process as the shell expects, and comes back repainted.
void terminal_suspend(void);

/// The signal that asked to quit; 0 when none did, or when SIGINT came from the key Ctrl-C.
int terminal_quit_signal(void);

/// Sets the modes again and repaints, after a stop that curses did not see (SIGSTOP), and adopts
/// a size that changed meanwhile. True if it did.
bool terminal_resume(void);
