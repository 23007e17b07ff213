package dev.mullion.messaging.tck;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The example in the README is the one that is compiled. */
class ReadmeTest {
  @Test
  void exampleIsTheCompiledOne() throws Exception {
    String source =
        Files.readString(Path.of("src/test/java/dev/mullion/messaging/tck/MyEngineTest.java"));
    String example = source.substring(source.indexOf("class MyEngineTest"));
    assertThat(Files.readString(Path.of("README.md"))).contains(example);
  }
}
