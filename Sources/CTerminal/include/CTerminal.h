// What TerminalKit needs of ncursesw, in functions that Swift can import: most of curses is macros,
// and its globals are not safe to name in Swift 6.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum ct_status {
  CT_OK = 0,
  CT_NOT_A_TERMINAL,
  CT_UNKNOWN_TERMINAL,
  CT_FAILED,
};

enum ct_attribute {
  CT_BOLD = 1,
  CT_DIM = 2,
  CT_REVERSE = 4,
  CT_UNDERLINE = 8,
};

enum ct_key {
  CT_KEY_NONE = 0,
  CT_KEY_CHARACTER,
  CT_KEY_UP,
  CT_KEY_DOWN,
  CT_KEY_LEFT,
  CT_KEY_RIGHT,
  CT_KEY_HOME,
  CT_KEY_END,
  CT_KEY_PAGE_UP,
  CT_KEY_PAGE_DOWN,
  CT_KEY_ENTER,
  CT_KEY_ESCAPE,
  CT_KEY_BACKSPACE,
  CT_KEY_DELETE,
  CT_KEY_INSERT,
  CT_KEY_TAB,
  CT_KEY_BACK_TAB,
  CT_KEY_FUNCTION,
  CT_KEY_RESIZE,
  CT_KEY_QUIT,
  CT_KEY_OTHER,
};

// Sets the locale of the environment; true when its characters are UTF-8.
bool ct_set_locale(void);

// Opens the screen, redirects standard error to a file that nobody else sees, and takes the signals
// that end a program. The terminal is given back by ct_close, by a crash handler, or by neither.
enum ct_status ct_open(bool want_colour);
void ct_close(void);

int ct_width(void);
int ct_height(void);
// 0 without colour.
int ct_colours(void);

void ct_erase(void);
// Draws code points at a place; colours are -1 for the terminal's own.
void ct_draw(int y, int x, const uint32_t *text, int count, int attributes, int foreground,
             int background);
// Draws at the given place the cursor, or none with a negative one, and flushes the frame.
void ct_flush(int cursor_y, int cursor_x);
// The next frame is drawn anew in full.
void ct_redraw(void);

// Waits for a key, for input on `descriptor` (none when negative) or for `milliseconds` (for ever
// when negative). `*code` is the code point or the number of a function key.
enum ct_key ct_wait(int milliseconds, int descriptor, uint32_t *code);
