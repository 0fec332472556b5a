/* SPDX-License-Identifier: Apache-2.0 */
/** Where a schema registry is, as a cluster's document says it. */
#ifndef CZ_REGISTRY_CONF_H
#define CZ_REGISTRY_CONF_H

#include <stdbool.h>

/** Password, key and key password are secret references, the others text or references; they are
 *  resolved when a connection is made. */
struct cz_registry_conf {
    char *url; /* with the path of the API: "http://host:8081" */
    char *username, *password;
    char *ssl_ca, *ssl_certificate, *ssl_key, *ssl_key_password;
    bool ssl_verify_hostname;
};

#endif
