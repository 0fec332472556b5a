/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files of storage/channel only. */
#ifndef CZ_CHANNEL_PRIV_H
#define CZ_CHANNEL_PRIV_H

#include "cz/channel.h"

/* Larger than any record of ours plus its envelope; the topics and the writers agree on it. */
#define CZ__CHANNEL_MESSAGE_MAX "2097152"

enum { CZ__MAX_CHANNEL_KEY = 2048 };

#endif
