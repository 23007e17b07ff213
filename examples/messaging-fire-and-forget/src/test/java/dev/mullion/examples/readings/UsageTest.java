package dev.mullion.examples.readings;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A mistake is answered in words, never by the trace of an exception. */
@Timeout(60)
class UsageTest {
  @Test
  void argumentsAreExplained() throws Exception {
    Process help = Program.start("--help");
    List<Process> wrong = List.of(
        Program.start("--nonsense"),
        Program.start("--serve=70000"),
        Program.start("--connect=here:there"),
        Program.start("--serve=0", "--connect=127.0.0.1:1"),
        Program.start("--serve=0", "--engine=kafka"),
        Program.start("--engine=nats"),
        Program.start("--servers=127.0.0.1:1"),
        Program.start("--serve=0", "--readings=5"),
        Program.start("--engine=kafka", "--only=receiver", "--readings=5"));

    assertThat(Program.text(help))
        .startsWith("Usage: readings")
        .contains("--serve=[HOST:]PORT", "--connect=HOST:PORT")
        .contains("--engine=NAME", "--servers=HOST:PORT", "--uri=URI", "--only=SIDE");
    assertThat(help.waitFor()).isZero();
    for (Process each : wrong) {
      assertThat(Program.text(each)).contains("Usage: readings").doesNotContain("\tat ");
      assertThat(each.waitFor()).isEqualTo(2);
    }
  }

  @Test
  void refusedConnectionIsOneLine() throws Exception {
    Process client = Program.start("--connect=127.0.0.1:1");

    assertThat(Program.text(client))
        .startsWith("readings: ")
        .contains("127.0.0.1:1")
        .hasLineCount(1);
    assertThat(client.waitFor()).isEqualTo(1);
  }

  @Test
  void absentBrokerIsOneLine() throws Exception {
    Process onRabbitMq = Program.start("--engine=rabbitmq", "--uri=amqp://127.0.0.1:1");
    Process confused = Program.start("--engine=rabbitmq", "--servers=127.0.0.1:1");

    assertThat(Program.text(onRabbitMq))
        .startsWith("readings: ")
        .contains("127.0.0.1:1")
        .hasLineCount(1);
    assertThat(onRabbitMq.waitFor()).isEqualTo(1);
    assertThat(Program.text(confused))
        .isEqualTo(
            "readings: --servers: not of this engine (expected: --uri)" + System.lineSeparator());
    assertThat(confused.waitFor()).isEqualTo(1);
  }

  @Test
  void wrongAddressIsOneLine() throws Exception {
    Process kafka = Program.start("--engine=kafka", "--servers=nonsense");
    Process rabbitMq = Program.start("--engine=rabbitmq", "--uri=nonsense");

    assertThat(Program.text(kafka))
        .startsWith("readings: servers: \"nonsense\" (expected: host:port")
        .hasLineCount(1);
    assertThat(kafka.waitFor()).isEqualTo(1);
    assertThat(Program.text(rabbitMq))
        .startsWith("readings: uri: ")
        .contains("amqp://")
        .hasLineCount(1);
    assertThat(rabbitMq.waitFor()).isEqualTo(1);
  }
}
