# Varnish in front of a bus at 127.0.0.1:8081.

vcl 4.1;

backend bus {
    .host = "127.0.0.1";
    .port = "8081";

    # longer than from one ping to the next
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
}

sub vcl_recv {
    # who waits for events has both connections for itself: so who leaves is
    # gone at once, and not with the next ping
    if (req.http.Accept ~ "text/event-stream|application/x-ndjson"
        || req.http.Prefer ~ "wait" || req.url ~ "[?&]wait=") {
        return (pipe);
    }

    # Vary names the User-Agent, and there are many
    return (pass);
}

sub vcl_pipe {
    set bereq.http.Connection = "close";
}
