#!/bin/sh
# Run a command where WebRTC can be tried without a network: `unshare -n sh livekit_namespace.sh COMMAND…`.
# LiveKit's SDK passes over loopback, so the namespace gets a pair of devices, of which one has an address.
set -e
ip link set lo up
ip link add media0 type veth peer name media1
ip addr add 10.99.0.1/24 dev media0
ip link set media0 up
ip link set media1 up
exec "$@"
