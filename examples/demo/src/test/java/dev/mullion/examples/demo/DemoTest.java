package dev.mullion.examples.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class DemoTest {
  @Test
  @Timeout(60)
  void saysThatAllWentWell() throws Exception {
    PrintStream real = System.out;
    ByteArrayOutputStream seen = new ByteArrayOutputStream();
    System.setOut(new PrintStream(seen, true, UTF_8));
    try {
      Demo.main(new String[0]);
    } finally {
      System.setOut(real);
    }

    assertThat(seen.toString(UTF_8))
        .contains("100,000 frames there and back")
        .contains("was cut off, the other one was served")
        .contains(": Hello, world!")
        .contains("France? Paris", "3 subscribers", "10,000 failed first", "100,000 sent")
        .endsWith("all went well" + System.lineSeparator());
  }
}
