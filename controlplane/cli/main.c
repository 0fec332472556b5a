/* SPDX-License-Identifier: Apache-2.0 */
/** The program `citizenk`. */
#include "cli.h"

int main(int argc, char **argv)
{
    return cz_cli_main(argc, argv);
}
