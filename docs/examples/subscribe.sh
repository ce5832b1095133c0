#!/bin/bash

# Prints the events of a channel, or of some, each once, whatever becomes of connections:
#
#     subscribe.sh URL [CURSOR [COUNT]]
#
# It begins after the event CURSOR (0), and ends after COUNT events (never).

url=$1
cursor=${2:-0}
count=${3:--1}

case $url in
    *\?*) separator='&' ;;
    *) separator='?' ;;
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
            ignored=1

            # msgbus.ping says that the id has moved on, and no more
            if [ "$value" != msgbus.ping ]; then
                printf 'not an event: %s\n' "$value" >&2
            fi
            ;;

        '')
            # the event is whole: now its id counts
            if [ "$data" ] && [ ! "$ignored" ]; then
                printf '%s\n' "$data"
                count=$((count - 1))
            fi

            cursor=$id
            data=
            ignored=
            ;;
        esac

    done < <(exec curl -sSN "$url${separator}last-known-id=$cursor" \
                       -H 'Accept: text/event-stream')

    curl=$!
    id=$cursor data= ignored=

    if [ "$count" = 0 ]; then
        kill "$curl"
        exit
    fi

    sleep 1
done
