package dev.mullion.messaging.rabbitmq;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The replicas of the quorum queues of a cluster. */
final class Replicas {
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  /** Of each queue the name, the last entry that a replica has, and the last that all know of. */
  private static final String LOGS = """
      Number = fun(Key, Of) ->
        case proplists:get_value(Key, Of) of I when is_integer(I) -> I; _ -> -1 end
      end,
      [begin
        {resource, Host, queue, Name} = amqqueue:get_name(Q),
        All = rabbit_quorum_queue:status(Host, Name),
        {Name,
          lists:max([Number(<<"Log Index">>, Each) || Each <- All]),
          lists:min([Number(<<"Commit Index">>, Each) || Each <- All])}
      end || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue].
      """;

  private static final Pattern LOG = Pattern.compile("<<\"([^\"]+)\">>,\\s*(-?\\d+),\\s*(-?\\d+)");

  private final Broker node;

  /** All replicas, as a node knows them. */
  Replicas(Broker node) {
    this.node = node;
  }

  private record Log(long last, long committed) {}

  /**
   * Waits until each replica knows that what is in the longest log now is committed. If a node is
   * killed while another one is behind, a queue waits for that one, which is not about this side.
   */
  void awaitInSync() throws Exception {
    long end = System.nanoTime() + PATIENCE.toNanos();
    Map<String, Log> begin = logs();
    Map<String, Log> now = begin;
    while (!areReached(begin, now)) {
      if (System.nanoTime() - end > 0) {
        throw new IllegalStateException("replicas are behind: " + begin + ", now " + now);
      }
      TimeUnit.MILLISECONDS.sleep(100);
      now = logs();
    }
  }

  private static boolean areReached(Map<String, Log> begin, Map<String, Log> now) {
    return now.entrySet().stream()
        .allMatch(each -> !begin.containsKey(each.getKey())
            || each.getValue().committed >= begin.get(each.getKey()).last);
  }

  private Map<String, Log> logs() throws Exception {
    Map<String, Log> logs = new HashMap<>();
    String told = node.control("eval", LOGS);
    Matcher found = LOG.matcher(told);
    while (found.find()) {
      logs.put(
          found.group(1), new Log(Long.parseLong(found.group(2)), Long.parseLong(found.group(3))));
    }
    if (logs.isEmpty()) {
      throw new IllegalStateException("no quorum queue: " + told);
    }
    return logs;
  }
}
