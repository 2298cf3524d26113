#!/bin/sh
# Give each user of users.acl a password: write FOLDER/users.acl for Redis, and FOLDER/redis.env with each role's URL.
#   deploy/redis/make-users.sh FOLDER [HOST:PORT]
set -eu
folder=${1:?a folder for users.acl and redis.env}
address=${2:-redis:6379}
umask 077
acl=$(cat "$(dirname "$0")/users.acl")
: > "$folder/redis.env"
for role in ADMIN CONTROL WORKER CELERY RETENTION FLOWER; do
  password=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  user=$(echo "$role" | tr '[:upper:]' '[:lower:]')
  acl=$(echo "$acl" | sed "s/>${role}_PASSWORD/>$password/")
  echo "${role}_REDIS_URL=redis://$user:$password@$address/0" >> "$folder/redis.env"
done
echo "$acl" > "$folder/users.acl"
