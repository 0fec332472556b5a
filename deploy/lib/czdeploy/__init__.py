# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping what CitizenK runs on: PostgreSQL, Kafka brokers and our own processes.

deploy/quickstart and the tests share this package (tests/support imports it), so that a test starts
a stack in the same way as a user does.  Standard library only, except where a module says otherwise.
"""
