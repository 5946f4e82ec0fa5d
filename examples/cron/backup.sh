#!/bin/sh
# backup.sh FOLDER BACKUPS: packs a folder, under the day's date.
set -eu
mkdir -p "$2"
tar -czf "$2/$(date +%Y-%m-%d).tar.gz" -C "$1" .
