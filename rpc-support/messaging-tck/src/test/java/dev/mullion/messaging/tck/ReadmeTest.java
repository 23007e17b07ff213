package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The examples in README and Javadoc are those that are compiled, here and in the tests beside. */
class ReadmeTest {
  private static final Path TESTS = Path.of("src/test/java/dev/mullion/messaging/tck");
  private static final Path SOURCES = Path.of("src/main/java/dev/mullion/messaging/tck");
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern PREFORMATTED =
      Pattern.compile("<pre>\\{@code\n(.*?)\n *\\* }</pre>", Pattern.DOTALL);

  @Test
  void examplesAreCompiled() throws IOException {
    String compiled = words(Files.readString(TESTS.resolve("MyEngineTest.java")))
        + words(Files.readString(TESTS.resolve("ReadmeTest.java")));
    List<String> examples = new ArrayList<>(blocks(JAVA, Path.of("README.md")));
    try (Stream<Path> sources = Files.list(SOURCES)) {
      for (Path source : sources.toList()) {
        examples.addAll(blocks(PREFORMATTED, source));
      }
    }

    assertThat(examples)
        .hasSize(4)
        .allSatisfy(example -> assertThat(compiled).contains(words(example)));
  }

  private static List<String> blocks(Pattern block, Path file) throws IOException {
    return block
        .matcher(Files.readString(file))
        .results()
        .map(found -> found.group(1).replaceAll("(?m)^ *\\*", ""))
        .toList();
  }

  /** The layout is not the same. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }

  /** As in the Javadoc; it is run by its chapters elsewhere. */
  static final class MyEngineTest extends MessagingTck {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return EngineUnderTest.of(EmbeddedEngine.inMemory().start()); // yours
    }
  }

  @Test
  void handlersSeeFaults() throws Exception {
    WorkQueue<String> jobs = WorkQueue.of("jobs", Codecs.utf8());
    AtomicInteger handled = new AtomicInteger();
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start()) {
      FaultyEngine engine = FaultyEngine.over(broker)
          .seed(7)
          .delays(0.05)
          .duplicates(0.02)
          .reorders(0.02)
          .cuts(0.1)
          .build();
      try (Messaging messaging = Messaging.on(engine)) {
        messaging.pull(jobs, job -> handled.incrementAndGet());
        for (int i = 0; i < 100; i++) {
          messaging.push(jobs, "job " + i).get();
        }
        broker.awaitIdle(Duration.ofSeconds(20));
        assertThat(handled.get()).isGreaterThanOrEqualTo(100);
      }
    }
  }
}
