package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.GuaranteesTable;
import dev.mullion.rpc.RpcChannel;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What README and Javadoc show is compiled and run here, in the same words. */
@Timeout(60)
class ReadmeTest {
  static final Subject<String, String> CAPITALS =
      Subject.of("capitals", Codecs.utf8(), Codecs.utf8());
  static final WorkQueue<String> INVOICES = WorkQueue.of("invoices", Codecs.utf8());

  private static final Context.Key<String> TENANT = Context.key("tenant");
  private static final Path README = Path.of("README.md");
  private static final Path SOURCES = Path.of("src/main/java/dev/mullion/messaging/grpc");
  private static final Path HERE =
      Path.of("src/test/java/dev/mullion/messaging/grpc/ReadmeTest.java");
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern PREFORMATTED =
      Pattern.compile("<pre>\\{@code\n(.*?)\n *\\* }</pre>", Pattern.DOTALL);
  private static final Pattern SETTING = Pattern.compile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\|");

  @TempDir
  Path path;

  private static List<Path> shown() throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      return Stream.concat(Stream.of(README), files).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("shown")
  void codeIsThatOfThisTest(Path file) throws IOException {
    String compiled = words(Files.readString(HERE));
    Pattern block = file.equals(README) ? JAVA : PREFORMATTED;

    assertThat(block.matcher(Files.readString(file)).results().map(found -> found.group(1)))
        .map(code -> code.replaceAll("(?m)^ *\\*", ""))
        .filteredOn(code -> code.contains(";") || code.contains("()"))
        .allSatisfy(code -> assertThat(compiled).contains(words(code)));
  }

  /** The layout is not the same in both, and the test uses other ports. */
  private static String words(String code) {
    return code.replace("50052", "0").replaceAll("\\s+", "");
  }

  @Test
  void guaranteesAreThoseOfAClient() throws IOException {
    StringBuilder table = new StringBuilder();
    table.append("| | engine in memory | the same over gRPC |\n| --- | --- | --- |\n");
    try (MessagingServer server =
            MessagingServer.builder(EmbeddedEngine.inMemory()).start();
        RpcChannel channel =
            RpcChannel.builder().address("127.0.0.1", server.port()).build()) {
      for (Guarantees there : GrpcEngine.on(channel).guarantees()) {
        table.append(GuaranteesTable.differences(
            EmbeddedEngine.inMemory().guarantees(there.pattern()), there));
      }
    }

    assertThat(Files.readString(README)).contains("\n\n" + table + "\n");
  }

  @Test
  void settingsHaveTheirDefaults() throws Exception {
    String readme = Files.readString(README);
    int client = readme.indexOf("## Client");
    int limits = readme.indexOf("## Limits");
    try (RpcChannel channel = RpcChannel.builder().address("127.0.0.1", 1).build()) {
      assertDefaults(
          readme.substring(client, readme.indexOf("## Guarantees")),
          GrpcEngine.builder(channel),
          5);
    }
    assertDefaults(readme.substring(limits), MessagingServer.builder(EmbeddedEngine.inMemory()), 9);
  }

  private static void assertDefaults(String section, Object builder, int count) {
    assertThat(SETTING.matcher(section).results())
        .hasSize(count)
        .allSatisfy(row ->
            assertThat(row.group(2)).as(row.group(1)).isEqualTo(shown(builder, row.group(1))));
  }

  private static String shown(Object builder, String setting) {
    try {
      Field field = builder.getClass().getDeclaredField(setting);
      field.setAccessible(true);
      Object value = Objects.requireNonNull(field.get(builder));
      if (value instanceof Duration time) {
        return time.toSeconds() + " s";
      }
      if (value instanceof Number number) {
        long bytes = number.longValue();
        boolean mebibytes = bytes % (1 << 20) == 0;
        return mebibytes ? (bytes >> 20) + " MiB" : String.format(Locale.ROOT, "%,d", bytes);
      }
      return "`" + value + "`";
    } catch (ReflectiveOperationException e) {
      throw new LinkageError("guarantees and settings are readable", e);
    }
  }

  @Test
  void serves() throws Exception {
    stoppingAtOnce(() -> serve(path));
    stoppingAtOnce(() -> serveInProcess());
  }

  /** Lets the wait for the end of a server end at once. */
  private static void stoppingAtOnce(Serving serving) {
    Thread.currentThread().interrupt();
    assertThatThrownBy(serving::run).isInstanceOf(InterruptedException.class);
    assertThat(Thread.interrupted()).isFalse();
  }

  private interface Serving {
    void run() throws Exception;
  }

  private static void serve(Path path) throws Exception {
    EmbeddedEngine engine = EmbeddedEngine.builder().directory(path).build();
    try (MessagingServer server = MessagingServer.builder(engine).port(0).start()) {
      server.awaitTermination();
    }
  }

  private static void serveInProcess() throws Exception {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker);
        MessagingServer server = MessagingServer.builder(broker).start()) {
      messaging.reply(CAPITALS, question -> capitalOf(question.payload()));
      server.awaitTermination();
    }
  }

  private static String capitalOf(String country) {
    return country.equals("France") ? "Paris" : "unknown";
  }

  /** The name of the host exists nowhere. */
  @Test
  void clientNeedsAServer() {
    assertThatThrownBy(ReadmeTest::pushElsewhere)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("queues.internal");
  }

  private static void pushElsewhere() throws Exception {
    try (RpcChannel channel =
            RpcChannel.builder().address("queues.internal", 50052).build();
        Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
      messaging.push(INVOICES, "invoice 1").get();
    }
  }

  @Test
  void permissionsDependOnTheCaller() throws Exception {
    try (MessagingServer server =
            permitting(EmbeddedEngine.inMemory(), new Authentication()).start();
        RpcChannel channel =
            RpcChannel.builder().address("127.0.0.1", server.port()).build();
        Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
      messaging.push(WorkQueue.of("acme.jobs", Codecs.utf8()), "job").get();
      messaging.declare(Topic.of("acme.prices", Codecs.utf8()).group("archive"));

      assertThatThrownBy(() -> messaging.push(INVOICES, "invoice 1").get())
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(PermissionDeniedException.class)
          .hasMessageContaining("invoices");
    }
  }

  private static MessagingServer.Builder permitting(
      EmbeddedEngine engine, ServerInterceptor authentication) {
    return MessagingServer.builder(engine)
        .rpc(rpc -> rpc.intercept(authentication))
        .permissions(
            (verb, address, context) -> address.split("[./]", 2)[0].equals(TENANT.get(context)));
  }

  /** Takes every client for the same tenant. */
  private static final class Authentication implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      Context context = Context.current().withValue(TENANT, "acme");
      return Contexts.interceptCall(context, call, headers, next);
    }
  }
}
