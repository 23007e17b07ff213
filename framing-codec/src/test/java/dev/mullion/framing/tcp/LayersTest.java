package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * What the drawing of {@link Link} says: no part of a connection knows a file above its own. They
 * all knew each other, and {@link FramedConnection} asked which kind of link it had.
 */
class LayersTest {
  /** From the bottom up. */
  private static final List<List<Class<?>>> LAYERS = List.of(
      List.of(LinkContext.class, LoopWatch.class, MemoryBudget.class),
      List.of(Reading.class),
      List.of(Outbound.class, Losses.class, Timeouts.class, SendBuffer.class, SendLock.class),
      List.of(Ending.class),
      List.of(Draining.class),
      List.of(Inbox.class, Arrivals.class, Claim.class),
      List.of(Link.class),
      List.of(
          Sending.class,
          Receiving.class,
          Requests.class,
          FramePublisher.class,
          FrameSubscriber.class),
      List.of(FramedConnection.class),
      List.of(QueueLink.class, BatchLink.class));

  @Test
  void noPartKnowsWhatIsAboveIt() throws IOException {
    List<String> wrong = new ArrayList<>();
    Set<String> above = new HashSet<>();
    for (int i = LAYERS.size() - 1; i >= 0; i--) {
      for (Class<?> part : LAYERS.get(i)) {
        for (String text : textsIn(part)) {
          above.stream()
              .filter(name -> text.equals(name) || text.contains("L" + name + ";"))
              .forEach(name -> wrong.add(part.getSimpleName() + " knows " + name));
        }
      }
      LAYERS.get(i).forEach(part -> above.add(part.getName().replace('.', '/')));
    }

    assertThat(wrong).isEmpty();
  }

  /**
   * Returns all texts in the constant pool of a class, which has the classes that it names.
   */
  private static List<String> textsIn(Class<?> type) throws IOException {
    List<String> texts = new ArrayList<>();
    try (InputStream file = type.getResourceAsStream(type.getSimpleName() + ".class");
        DataInputStream in = new DataInputStream(file)) {
      in.skipNBytes(8);
      int count = in.readUnsignedShort();
      for (int i = 1; i < count; i++) {
        int tag = in.readUnsignedByte();
        switch (tag) {
          case 1 -> texts.add(in.readUTF());
          case 3, 4, 9, 10, 11, 12, 17, 18 -> in.skipNBytes(4);
          case 5, 6 -> {
            in.skipNBytes(8);
            i++; // It takes two places.
          }
          case 7, 8, 16, 19, 20 -> in.skipNBytes(2);
          case 15 -> in.skipNBytes(3);
          default -> throw new IOException("constant of kind " + tag + " in " + type);
        }
      }
    }
    return texts;
  }
}
