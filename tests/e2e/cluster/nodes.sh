# Three machines out of namespaces: nodes.sh FOLDER BRIDGE. Ends when its standard input does, and with it all of them.
set -eu
B=$1 bridge=$2
here=$(dirname "$0")
down() {
    for node in login n1 n2; do
        kill -9 "$(cat "$B/$node.outer")" || true
        ip link del "$bridge-${node#n}" || true
    done
    kill "$(cat "$B/munge.pid")" || true
    ip link del "$bridge" || true
}
trap 'down 2>/dev/null' EXIT
mkdir -p "$B/state" "$B/n1" "$B/n2"
printf '127.0.0.1 localhost\n10.77.0.10 login\n10.77.0.1 n1\n10.77.0.2 n2\n' >"$B/hosts"
ip link add "$bridge" type bridge
ip link set "$bridge" up
for node in login:10 n1:1 n2:2; do
    address=10.77.0.${node#*:} node=${node%:*}
    cat /proc/sys/kernel/random/uuid >"$B/$node.boot_id"
    unshare --net --uts --pid --mount --fork --kill-child --mount-proc sh -c "
        hostname $node
        mount --bind '$B/hosts' /etc/hosts
        mount --bind '$B/$node.boot_id' /proc/sys/kernel/random/boot_id
        touch '$B/$node.up'
        exec bash -c 'while :; do sleep 3600 & wait; done'" </dev/null &
    echo $! >"$B/$node.outer"
    until [ -f "$B/$node.up" ]; do sleep 0.05; done
    inner=$(cat /proc/$!/task/*/children | tr -d ' ')
    echo "$inner" >"$B/$node.inner"
    ip link add "$bridge-${node#n}" type veth peer name eth0 netns "/proc/$inner/ns/net"
    ip link set "$bridge-${node#n}" master "$bridge" up
    nsenter -t "$inner" -n sh -c "ip addr add $address/24 dev eth0; ip link set eth0 up; ip link set lo up"
done
on() {
    inner=$(cat "$B/$1.inner")
    shift
    nsenter -t "$inner" -n -u -p -m "$@"
}
head -c 128 /dev/urandom >"$B/munge.key"
chmod 600 "$B/munge.key"
munged --force --key-file="$B/munge.key" --socket="$B/munge.socket" --pid-file="$B/munge.pid" \
    --seed-file="$B/munge.seed" --log-file="$B/munge.log" </dev/null
sed "s#@B@#$B#" "$here/slurm.conf.in" >"$B/slurm.conf"
export SLURM_CONF="$B/slurm.conf"
on login slurmctld -c </dev/null
on n1 slurmd </dev/null
on n2 slurmd </dev/null
until [ "$(on login sinfo -h -N -p low -t idle 2>/dev/null | wc -l)" = 2 ]; do sleep 0.1; done
echo up
cat >/dev/null
