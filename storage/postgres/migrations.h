/* SPDX-License-Identifier: Apache-2.0 */
/** The migrations that are built into the program (table generated from migrations/ by CMake).
 */
#ifndef CZ_PG_MIGRATIONS_H
#define CZ_PG_MIGRATIONS_H

struct cz_pg_migration {
    int version; /* 1, 2, 3 … without gaps */
    const char *name;
    const char *checksum; /* SHA-256 of the file, hexadecimal */
    const char *sql;
};
extern const struct cz_pg_migration cz__pg_migrations[];
extern const int cz__pg_migrations_len;

#endif
