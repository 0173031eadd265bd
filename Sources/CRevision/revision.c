// SPDX-License-Identifier: MIT
#include "revision.h"

/* Package.swift defines it: a Swift file cannot be given a text by the build. */
#ifndef DMATOP_REVISION
#define DMATOP_REVISION "unknown"
#endif

const char *dmatop_revision(void) { return DMATOP_REVISION; }
