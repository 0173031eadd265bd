// SPDX-License-Identifier: MIT
#ifndef DMATOP_REVISION_H
#define DMATOP_REVISION_H

/* The commit that the program was built from, or "unknown". */
const char *dmatop_revision(void);

#endif
