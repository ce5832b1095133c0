#!/bin/bash

# Prints the events of a channel, or of several, each once:
#
#     subscribe.sh URL [CURSOR [COUNT]]
#
# CURSOR is the id of an event, after which it begins (0), or a file that keeps
# the id: started again, it goes on from there.  It ends after COUNT events
# (never).  It comes back by itself when the connection breaks or is silent.

url=$1
cursor=${2:-0}
count=${3:--1}

# seconds: longer than from one heartbeat of the bus to the next
silence=60

case $url in
    *\?*) separator='&' ;;
    *) separator='?' ;;
esac

file=

case $cursor in *[!0-9]*)
    file=$cursor
    cursor=$(cat "$file" 2> /dev/null || echo 0)
    ;;
esac

while [ "$count" != 0 ]; do

    while [ "$count" != 0 ] && IFS=': ' read -r field value; do
        case $field in

        id)
            id=$value
            ;;

        data)
            data=$value
            ;;

        event)
            kind=$value
            ;;

        '')
            case ${data:+data}$kind in

            data)
                printf '%s\n' "$data"
                count=$((count - 1))
                ;;

            # some have expired before they were read: a program that keeps
            # a state loads all of it here, and goes on
            datamsgbus.gap)
                printf 'gap %s\n' "$data" >&2
                ;;
            esac

            # the event is whole, and handled: now its id counts; that of a
            # heartbeat (msgbus.ping), too
            if [ "$file" ] && [ "$id" != "$cursor" ]; then
                echo "$id" > "$file.new" && mv "$file.new" "$file" || exit 1
            fi

            cursor=$id
            data=
            kind=
            ;;
        esac

    done < <(exec curl -sSN "$url${separator}last-known-id=$cursor" \
                       --speed-limit 1 --speed-time $silence \
                       -H 'Accept: text/event-stream')

    curl=$!
    id=$cursor data= kind=

    if [ "$count" = 0 ]; then
        kill "$curl"
        exit
    fi

    # not all of a crowd at once
    sleep "1.$RANDOM"
done
