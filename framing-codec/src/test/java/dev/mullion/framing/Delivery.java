package dev.mullion.framing;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The pieces in which bytes come.
 *
 * @param name for the names of tests
 * @param copies how often the bytes come, one behind the other
 * @param pieces what a single read gives
 */
record Delivery(String name, int copies, List<byte[]> pieces) {
  /** Returns the deliveries of a wire: whole, byte by byte, cut at each offset, two glued. */
  static Stream<Delivery> of(byte[] wire) {
    Stream<Delivery> cuts = IntStream.range(1, wire.length)
        .mapToObj(at -> new Delivery("cut at " + at, 1, cut(wire, List.of(at))));
    return Stream.concat(
        Stream.of(
            new Delivery("whole", 1, List.of(wire)),
            new Delivery("byte by byte", 1, byteByByte(wire)),
            new Delivery("two glued", 2, List.of(Wire.join(wire, wire)))),
        cuts);
  }

  static List<byte[]> byteByByte(byte[] wire) {
    return cut(wire, IntStream.range(1, wire.length).boxed().toList());
  }

  /** Cuts a wire into one to five pieces. */
  static List<byte[]> cutAtRandom(byte[] wire, Random random) {
    List<Integer> offsets = IntStream.range(0, random.nextInt(5))
        .map(i -> random.nextInt(wire.length + 1))
        .sorted()
        .boxed()
        .toList();
    return cut(wire, offsets);
  }

  private static List<byte[]> cut(byte[] wire, List<Integer> offsets) {
    List<byte[]> pieces = new ArrayList<>();
    int from = 0;
    for (int to : offsets) {
      pieces.add(Arrays.copyOfRange(wire, from, to));
      from = to;
    }
    pieces.add(Arrays.copyOfRange(wire, from, wire.length));
    return pieces;
  }

  /** Returns what is decoded, if the bytes come once, for as often as they come. */
  List<String> each(String... events) {
    return Collections.nCopies(copies, List.of(events)).stream()
        .flatMap(List::stream)
        .toList();
  }

  @Override
  public String toString() {
    return name;
  }
}
