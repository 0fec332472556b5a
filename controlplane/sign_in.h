/* SPDX-License-Identifier: Apache-2.0 */
/** Sign-in as the options want it. */
#ifndef CZ_CONTROLPLANE_SIGN_IN_H
#define CZ_CONTROLPLANE_SIGN_IN_H

#include "cz/identity.h"
#include "options.h"

/** Do the options about sign-in fit together? CZ_E_INVALID names what does not. */
enum cz_err sign_in_check(const struct options *o, struct cz_error *err);
/** @token of --admin-token-file; NULL: none. CZ_E_…: the client's secret cannot be had. */
enum cz_err sign_in_new(const struct options *o, struct cz_store *store, const char *token,
                        size_t token_len, struct cz_identity **ret, struct cz_error *err);
/** While there is no admin: say in the log how to make the first one. */
void sign_in_offer(const struct options *o, struct cz_identity *id);

#endif
