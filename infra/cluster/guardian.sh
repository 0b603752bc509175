#!/bin/sh
# Outlives the cluster runner by a moment, so that nothing is left behind when the runner itself is killed (kill -9).
# It is told on standard input, one line each, and acts when that ends:
#   add GROUP · remove GROUP    a process group that runs, or has ended
#   container NAME              a Docker container
#   folder PATH                 the cluster's private folder
# After an orderly stop there is nothing left to do for it: the runner has said `remove` of every group, and `done`.
trap '' HUP INT TERM
groups=' ' containers='' folder=''
while read -r verb what; do
  case $verb in
  add) groups="$groups$what " ;;
  remove) groups="${groups%% "$what" *} ${groups#* "$what" }" ;;
  container) containers="$containers $what" ;;
  folder) folder=$what ;;
  done) exit 0 ;;
  esac
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
for container in $containers; do docker rm -f "$container" >/dev/null 2>&1; done
[ -z "$folder" ] || rm -rf "$folder"
