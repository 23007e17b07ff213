package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** SETTINGS.md matches the code: its defaults, its texts, its examples. */
class SettingsTest extends RpcTest {
  private static final Path TESTS = Path.of("src/test/java/dev/mullion/rpc");
  private static final Pattern CODE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern SECTION = Pattern.compile("(?m)^##+ (.*)\n((?:(?!##).*\n)*)");
  private static final Pattern ROW = Pattern.compile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\|");
  private static final Pattern STATUS = Pattern.compile("`([A-Z_]+: [^`]+)`");

  @TempDir
  Path directory;

  private static String shown() throws IOException {
    return Files.readString(Path.of("SETTINGS.md"));
  }

  /** The layout is not the same in both, and a long text is in parts. */
  private static String words(String code) {
    return code.replaceAll("\"\\s*\\+\\s*\"", "").replaceAll("\\s+", "");
  }

  @Test
  void codeIsThatOfThisTest() throws IOException {
    String compiled = words(Files.readString(TESTS.resolve("SettingsTest.java")));
    List<String> blocks =
        CODE.matcher(shown()).results().map(block -> block.group(1)).toList();

    assertThat(blocks).hasSize(3);
    assertThat(blocks).allSatisfy(block -> assertThat(compiled).contains(words(block)));
  }

  @Test
  void statusesAreThoseThatTestsHaveSeen() throws IOException {
    String seen;
    try (Stream<Path> tests = Files.list(TESTS)) {
      seen = tests
          .filter(file -> file.toString().endsWith("Test.java"))
          .map(SettingsTest::read)
          .map(SettingsTest::words)
          .collect(Collectors.joining());
    }
    List<String> texts =
        STATUS.matcher(shown()).results().map(text -> text.group(1)).toList();

    assertThat(texts).hasSizeGreaterThan(3);
    // Those of TLS are asserted without their code, which is the same for all.
    assertThat(texts)
        .allSatisfy(text -> assertThat(seen).contains(words(text.replace("UNAVAILABLE: ", ""))));
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void defaultsAreThoseOfTheSettings() throws Exception {
    RpcServerBuilder server = RpcServer.builder();
    Map<String, List<Object>> holders = Map.of(
        "Limits", List.of(server, server.connections, RpcChannel.builder()),
        "Keepalive", List.of(Keepalive.defaults()),
        "Channel", List.of(RpcChannel.builder()),
        "Retry", List.of(RetryPolicy.defaults()),
        "Hedging", List.of(HedgingPolicy.defaults()),
        "Health, reflection, admin", List.of(server));
    List<String> compared = new ArrayList<>();

    for (MatchResult section : SECTION.matcher(shown()).results().toList()) {
      for (MatchResult row : ROW.matcher(section.group(2)).results().toList()) {
        for (Object holder : holders.getOrDefault(section.group(1), List.of())) {
          Field field = field(holder, row.group(1));
          if (field != null) {
            assertThat(row.group(2)).as(row.group(1)).startsWith(inWords(field.get(holder)));
            compared.add(row.group(1));
          }
        }
      }
    }
    // Three of them are those of servers and channels.
    assertThat(compared).hasSizeGreaterThanOrEqualTo(28);
  }

  /** Returns what holds a setting, by its name or by what it is for, or null if there is none. */
  private static @Nullable Field field(Object holder, String setting) {
    String name =
        setting.equals("retryOn") || setting.equals("nonFatalStatusCodes") ? "codes" : setting;
    for (Class<?> type = holder.getClass(); type != null; type = type.getSuperclass()) {
      for (Field each : type.getDeclaredFields()) {
        if (each.getName().equals(name)) {
          each.setAccessible(true);
          return each;
        }
      }
    }
    return null;
  }

  private static String inWords(@Nullable Object value) {
    if (value instanceof Integer number) {
      return bytesOrNumber(number);
    }
    if (value instanceof Duration duration) {
      return time(duration);
    }
    if (value instanceof Boolean chosen) {
      return chosen ? "yes" : "no";
    }
    if (value instanceof Collection<?> codes) {
      return codes.stream().map(code -> "`" + code + "`").collect(Collectors.joining(", "));
    }
    return value instanceof Double factor ? String.format(Locale.ROOT, "%.0f", factor) : "none";
  }

  private static String bytesOrNumber(int number) {
    int kib = 1024;
    if (number >= kib && number % kib == 0) {
      return number % (kib * kib) == 0 ? number / kib / kib + " MiB" : number / kib + " KiB";
    }
    return String.format(Locale.ROOT, "%,d", number);
  }

  private static String time(Duration duration) {
    if (duration.isZero()) {
      return "none";
    }
    if (duration.toSeconds() == 0) {
      return duration.toMillis() + " ms";
    }
    return duration.equals(Duration.ofMinutes(1)) ? "1 minute" : duration.toSeconds() + " seconds";
  }

  @Test
  void serverListensOnSeveralAddressesOverMutualTls() throws Exception {
    Certificates certificates = Certificates.in(directory);
    RpcServer server = serving(serve(directory, 0));

    for (var each : server.addresses()) {
      InetSocketAddress address = (InetSocketAddress) each;
      RpcChannel channel = closing(RpcChannel.builder()
          .address(address.getHostString(), address.getPort())
          .tls(certificates.mutualClient().withoutHostNameVerification())
          .build());
      assertThat(GreeterClient.of(channel).sayHello("world")).isEqualTo("Hello, world!");
      channel.close();
    }
    assertThat(server.addresses()).hasSize(2);
  }

  private static RpcServer serve(Path directory, int port) throws IOException {
    Tls tls = Tls.server(directory.resolve("server.pem"), directory.resolve("server.key"))
        // Mutual TLS: clients without a certificate of these authorities are rejected.
        .trusting(directory.resolve("authorities.pem"))
        .reloadInterval(Duration.ofSeconds(10));
    RpcServer server = RpcServer.builder()
        .address("127.0.0.1", port)
        .address("127.0.0.2", port)
        .tls(tls)
        .addService(new GreeterService())
        .start();
    return server;
  }

  @Test
  void channelHasAllItsSettings() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new GreeterService()));

    assertThat(GreeterClient.of(closing(connect(server.port()))).sayHello("world"))
        .isEqualTo("Hello, world!");
  }

  private static RpcChannel connect(int port) throws IOException {
    RpcChannel channel = RpcChannel.builder()
        .address("localhost", port)
        .defaultTimeout(Duration.ofSeconds(10))
        .retryPolicy(RetryPolicy.defaults())
        // For a method that may run twice: a second attempt if there is no reply within 100 ms.
        .hedgingPolicy(HedgingPolicy.defaults(), "hello.Greeter/SayHello")
        .compression("gzip")
        .keepalive(Keepalive.defaults())
        .connect();
    return channel;
  }

  @Test
  void metersHaveTheNamesThatAreShown() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    RpcServer server = serving(measure(registry));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .observe(MicrometerObserver.of(registry))
        .build());
    GreeterClient.of(channel).sayHello("world");
    channel.close();
    List<String> shown = Pattern.compile("`(mullion\\.rpc\\.[a-z.]+)`")
        .matcher(shown())
        .results()
        .map(name -> name.group(1))
        .toList();

    assertThat(shown).hasSize(8);
    Await.until("all meters are there", () -> names(registry).containsAll(shown));
  }

  private static List<String> names(MeterRegistry registry) {
    return registry.getMeters().stream().map(meter -> meter.getId().getName()).toList();
  }

  private static RpcServer measure(MeterRegistry registry) throws IOException {
    RpcServer server = RpcServer.builder()
        .addService(new GreeterService())
        .observe(MicrometerObserver.of(registry))
        .accessLog()
        .start();
    return server;
  }
}
