package dev.mullion.messaging.rabbitmq;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.TestAbortedException;

/**
 * For tests with a broker. Skips them where there is none. If one fails, what the shared broker has
 * logged meanwhile is printed with the failure, and its whole log is kept.
 */
final class WithBroker implements ExecutionCondition, BeforeEachCallback, AfterEachCallback {
  private static final Path KEPT = Path.of("target", "rabbitmq.log");
  private static final String TROUBLE = "\\S+ \\S+ \\[(warning|error|critical|alert|emergency)] .*";
  private static final int MOST_LINES = 60;
  private static final AtomicBoolean TOLD = new AtomicBoolean();

  private int linesBefore;

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    if (Broker.isFound()) {
      return ConditionEvaluationResult.enabled("a RabbitMQ was found");
    }
    if (!TOLD.getAndSet(true)) {
      System.out.println("skipped: " + Broker.NOT_FOUND);
    }
    return ConditionEvaluationResult.disabled(Broker.NOT_FOUND);
  }

  @Override
  public void beforeEach(ExtensionContext context) throws IOException {
    Broker broker = Broker.running();
    linesBefore = broker == null ? 0 : broker.log().size();
  }

  @Override
  public void afterEach(ExtensionContext context) throws IOException {
    Throwable failure = context.getExecutionException().orElse(null);
    Broker broker = Broker.running();
    if (failure == null || failure instanceof TestAbortedException || broker == null) {
      return;
    }
    List<String> log = broker.log();
    Files.createDirectories(KEPT.toAbsolutePath().getParent());
    Files.write(KEPT, log);
    List<String> trouble = log.subList(linesBefore, log.size()).stream()
        .filter(line -> line.matches(TROUBLE))
        .toList();
    List<String> last = trouble.subList(Math.max(0, trouble.size() - MOST_LINES), trouble.size());
    failure.addSuppressed(new AssertionError(
        "the broker logged meanwhile (all of it is in " + KEPT + "):\n" + String.join("\n", last)));
  }
}
