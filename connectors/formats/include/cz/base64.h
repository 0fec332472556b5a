/* SPDX-License-Identifier: Apache-2.0 */
/** Base64 by RFC 4648, section 4, padded.  @thread any */
#ifndef CZ_BASE64_H
#define CZ_BASE64_H

#include "cz/buf.h"

void cz_base64_add(struct cz_buf *out, const char *p, size_t n);

#endif
