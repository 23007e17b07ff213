package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import io.grpc.InternalMetadata;
import io.grpc.Metadata;
import io.grpc.Status;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The end of a call, within the metadata limit of its peer. Beyond that limit the peer would see an
 * HTTP/2 error instead of the status, and end all calls of the connection. Code and description are
 * kept. Trailers that do not fit are left out, and the description says so.
 *
 * @param status the code and the description
 * @param trailers the trailers that fit
 */
record LastWord(Status status, Metadata trailers) {
  /** The default limit of gRPC's clients and servers. */
  static final int USUAL = 8 * 1024;

  /** The size that HTTP/2 adds for each entry. */
  private static final int ENTRY = 32;

  /** The size of what gRPC itself sends besides trailers and description. */
  static final int OF_GRPC = 384;

  private static final int MOST_OF_A_NOTE = 256;
  private static final String DETAILS = "grpc-status-details-bin";
  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(LastWord.class.getName()), Event.class);

  private enum Event {
    LEFT_OUT
  }

  /** Returns the status and the trailers that fit into {@code most} bytes. */
  static LastWord fitted(Status status, Metadata trailers, long most, Object call) {
    long room = most - OF_GRPC;
    Status whole = bounded(status, room);
    if (InternalMetadata.headerCount(trailers) == 0) {
      return new LastWord(whole, trailers);
    }
    Map<String, Long> sizes = sizes(trailers);
    if (sum(sizes) <= room - StatusText.encodedLength(whole.getDescription())) {
      return new LastWord(whole, trailers);
    }
    long withNote = room - MOST_OF_A_NOTE;
    Status bounded = bounded(status, withNote);
    Metadata kept = new Metadata();
    kept.merge(trailers);
    List<String> leftOut =
        leaveOut(sizes, withNote - StatusText.encodedLength(bounded.getDescription()));
    leftOut.forEach(name -> remove(kept, name));
    String note = note(trailers, leftOut, most);
    LOG.log(Event.LEFT_OUT, Level.WARNING, call, () -> "call " + call + ": " + note);
    String text = bounded.getDescription();
    return new LastWord(
        bounded.withDescription(text == null ? note : text + " (" + note + ")"), kept);
  }

  private static Status bounded(Status status, long room) {
    return StatusText.bounded(status, (int) Math.max(0, Math.min(room, StatusText.MAX)));
  }

  /** Removes details first, then the largest. */
  private static List<String> leaveOut(Map<String, Long> sizes, long room) {
    List<Map.Entry<String, Long>> byUse = new ArrayList<>(sizes.entrySet());
    byUse.sort(
        Comparator.comparing((Map.Entry<String, Long> each) -> !each.getKey().equals(DETAILS))
            .thenComparing(Map.Entry.comparingByValue(Comparator.reverseOrder())));
    List<String> leftOut = new ArrayList<>();
    long left = sum(sizes);
    for (Map.Entry<String, Long> each : byUse) {
      if (left <= room) {
        break;
      }
      left -= each.getValue();
      leftOut.add(each.getKey());
    }
    return leftOut;
  }

  private static String note(Metadata trailers, List<String> leftOut, long most) {
    String all = String.join(", ", leftOut);
    String named = all.length() <= 80 ? all : leftOut.size() + " trailers";
    return "left out: " + named + ", because trailers of " + size(trailers)
        + " bytes exceed the peer's limit of " + most;
  }

  private static void remove(Metadata from, String name) {
    if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
      from.removeAll(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER));
    } else {
      from.removeAll(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
    }
  }

  /** Returns the size of metadata as HTTP/2 counts it. */
  static long size(Metadata metadata) {
    return InternalMetadata.headerCount(metadata) == 0 ? 0 : sum(sizes(metadata));
  }

  private static long sum(Map<String, Long> sizes) {
    return sizes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Names and values alternate; binary values are sent as Base64. */
  private static Map<String, Long> sizes(Metadata metadata) {
    Map<String, Long> sizes = new LinkedHashMap<>();
    byte[][] parts = InternalMetadata.serialize(metadata);
    for (int i = 0; i < parts.length; i += 2) {
      String name = new String(parts[i], StandardCharsets.US_ASCII);
      long value = parts[i + 1].length;
      if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        value = (4 * value + 2) / 3;
      }
      sizes.merge(name, ENTRY + parts[i].length + value, Long::sum);
    }
    return sizes;
  }
}
