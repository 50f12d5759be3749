#!/usr/bin/env bash
# Makes a Superset ready: its database, its user (admin, admin), its roles, and the dashboard. Can be run again.
#
#   superset-init.sh DASHBOARD_ZIP
#
# Needs SUPERSET_HOME, and the settings of tests/components/superset_config.py where Superset finds them.
set -euo pipefail
secret="$SUPERSET_HOME/secret"
[ -s "$secret" ] || (umask 077 && head -c 32 /dev/urandom | base64 > "$secret")
superset db upgrade
superset fab create-admin --username admin --firstname A --lastname B --email admin@example.org --password admin
superset init
superset import-dashboards --path "$1" --username admin
