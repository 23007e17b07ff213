package dev.mullion.messaging.kafka;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.jspecify.annotations.Nullable;

/**
 * How far a partition of an ordered queue is. The consumer group commits it, as an offset and its
 * metadata:
 *
 * <pre>
 *  offset            end
 *    o . . o . o . . . |         o: open; the others before the end are settled
 *
 *  1 9 0,1,0! 3 2,1,2,myg65fy8   format, end - offset, and for each that is open: how far it is
 *                                from the one before, failures, losses, due; ! if handed out
 * </pre>
 *
 * <p>All numbers are written with base 36. The broker bounds the text, to 4096 bytes by default.
 *
 * @param end the place after the last message that was handed out
 * @param open the messages before the end that are not settled, by their offsets
 */
record Progress(long end, SortedMap<Long, Tries> open) {
  /** Even if all have long delays and large counts, the text is shorter than the bound. */
  static final int MOST_OPEN = 150;

  private static final String FORMAT = "1";
  private static final int BASE = 36;

  /** Returns the offset from which a new owner reads. */
  long offset() {
    return open.isEmpty() ? end : open.firstKey();
  }

  OffsetAndMetadata encode() {
    long last = offset();
    StringBuilder text = new StringBuilder(FORMAT).append(' ').append(digits(end - last));
    for (Map.Entry<Long, Tries> each : open.entrySet()) {
      Tries tries = each.getValue();
      text.append(' ').append(digits(each.getKey() - last));
      last = each.getKey();
      if (tries.failures() > 0 || tries.losses() > 0) {
        text.append(',').append(digits(tries.failures()));
        text.append(',').append(digits(tries.losses()));
        text.append(tries.due() > 0 ? ',' + digits(tries.due()) : "");
      }
      text.append(tries.out() ? "!" : "");
    }
    return new OffsetAndMetadata(offset(), text.toString());
  }

  private static String digits(long number) {
    return Long.toString(number, BASE);
  }

  /** Returns what was committed; without a text of this format only the offset counts. */
  static Progress decode(@Nullable OffsetAndMetadata known) {
    OffsetAndMetadata committed = known == null ? new OffsetAndMetadata(0) : known;
    String[] words = TopicId.textBefore(committed.metadata()).split(" ", -1);
    SortedMap<Long, Tries> open = new TreeMap<>();
    if (words.length < 2 || !words[0].equals(FORMAT)) {
      return new Progress(committed.offset(), open);
    }
    try {
      long last = committed.offset();
      for (int i = 2; i < words.length; i++) {
        String word = words[i];
        boolean out = word.endsWith("!");
        String[] numbers = (out ? word.substring(0, word.length() - 1) : word).split(",", -1);
        last += number(numbers, 0);
        open.put(
            last,
            new Tries((int) number(numbers, 1), (int) number(numbers, 2), out, number(numbers, 3)));
      }
      return new Progress(committed.offset() + number(words, 1), open);
    } catch (NumberFormatException e) {
      Logs.warn("progress", "unreadable metadata of an offset: " + committed, e);
      return new Progress(committed.offset(), new TreeMap<>());
    }
  }

  private static long number(String[] numbers, int index) {
    return index < numbers.length ? Long.parseLong(numbers[index], BASE) : 0;
  }

  /** Returns how many messages of a partition with this end are not settled. */
  long unsettled(long logEnd) {
    return Math.max(0, logEnd - end) + open.size();
  }

  /** Returns how many messages wait for the end of their delay. */
  long delayed(long now) {
    return open.values().stream().filter(tries -> tries.due() > now).count();
  }
}
