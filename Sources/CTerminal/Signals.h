// SPDX-License-Identifier: MIT
// Signal handling of the open terminal; private to CTerminal.
#pragma once

#include <stdbool.h>
#include <stddef.h>

/// Saves the terminal's modes and all actions, opens the pipe, and captures stderr. Before newterm.
bool signals_prepare(int keyboard_descriptor);

/// Installs the handlers. After newterm, which would otherwise put its own in their place.
void signals_install(void);

/// Puts every action back, and writes what was captured from stderr to where it belongs.
void signals_remove(void);

/// What the crash handler writes to leave the screen.
void signals_set_crash_text(const char *text, size_t length);

/// Whether the crash handler has to turn the mouse off.
void signals_set_mouse(bool on);

/// Tells the crash handler whether marks around pasted text are on.
void signals_set_paste(bool on);

/// Stops the process by the default action of SIGTSTP; returns when it is continued.
void signals_stop_process(void);
