// Copyright (C) the msgbus authors

// LaunchDarkly's okhttp-eventsource.  By default it throws at the first end of
// a stream, and gives up after some seconds without a byte; its pauses grow to
// half a minute.

import com.google.gson.Gson;
import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.DefaultRetryDelayStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.FaultEvent;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.StartedEvent;
import com.launchdarkly.eventsource.StreamEvent;

import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

public class Client {

    static final Gson GSON = new Gson();

    static void show(String... line) {
        Map<String, String> members = new LinkedHashMap<>();

        for (int i = 0; i < line.length; i += 2) {
            members.put(line[i], line[i + 1]);
        }

        System.out.println(GSON.toJson(members));
        System.out.flush();
    }

    public static void main(String[] args) {
        ConnectStrategy strategy = ConnectStrategy.http(URI.create(args[0]))
            .readTimeout(60, TimeUnit.SECONDS);

        String wait = System.getenv("MSGBUS_WAIT");
        long longest = wait == null ? 5000
                                    : (long) (Double.parseDouble(wait) * 1000);

        EventSource source = new EventSource.Builder(strategy)
            .errorStrategy(ErrorStrategy.alwaysContinue())
            .retryDelayStrategy(DefaultRetryDelayStrategy.defaultStrategy()
                .maxDelay(longest, TimeUnit.MILLISECONDS))
            .build();

        for (StreamEvent event : source.anyEvents()) {
            if (event instanceof MessageEvent) {
                MessageEvent message = (MessageEvent) event;

                show("event", message.getEventName(),
                     "id", message.getLastEventId(),
                     "data", message.getData());

            } else if (event instanceof StartedEvent) {
                show("state", "open");

            } else if (event instanceof FaultEvent) {
                show("state", "error",
                     "text", ((FaultEvent) event).getCause().toString());
            }
        }

        show("state", "closed");
    }
}
