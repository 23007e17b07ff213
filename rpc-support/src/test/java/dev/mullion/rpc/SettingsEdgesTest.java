package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.MessageLiteOrBuilder;
import dev.mullion.framing.testing.ClassesWithout;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import dev.mullion.net.TlsState;
import dev.mullion.rpc.EdgeRows.Row;
import java.lang.reflect.Executable;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each setting that is a number or a time works at its least and at its greatest value, and is
 * refused one step beyond them in a text with the value and its name.
 */
class SettingsEdgesTest extends RpcTest {
  private static final int SIDE_BY_SIDE = 8;
  private static final Set<Class<?>> NUMBERS =
      Set.of(int.class, long.class, float.class, double.class, Duration.class);

  /** What is returned to the user, rather than set. */
  private static final Set<Class<?>> RESULTS =
      Set.of(CallRecord.class, StopReport.class, TlsState.class);

  private static List<Row<?>> rows() {
    List<Row<?>> all = new ArrayList<>(new ServerEdges().rows);
    all.addAll(new ChannelEdges().rows);
    return all;
  }

  /** A new setting without a row is found here. */
  @Test
  void eachSettingHasItsRow() throws Exception {
    Map<String, Long> rows = rows().stream()
        .collect(Collectors.groupingBy(Row::setting, TreeMap::new, Collectors.counting()));

    assertThat(rows).isEqualTo(settings());
    assertThat(rows()).allSatisfy(row -> {
      assertThat(row.allowed()).as(row.setting()).hasSizeGreaterThanOrEqualTo(2);
      // As in ExecutorService, one does not wait for less than no time.
      if (!row.setting().contains("awaitTermination")) {
        assertThat(row.refused()).as(row.setting()).isNotEmpty();
      }
    });
  }

  /** Returns how many numbers each method that sets some takes. */
  private static Map<String, Long> settings() throws Exception {
    Map<String, Long> found = new TreeMap<>();
    for (Class<?> type : types()) {
      Stream.of(type.getDeclaredConstructors(), type.getDeclaredMethods(), inherited(type))
          .flatMap(Arrays::<Executable>stream)
          .filter(each -> Modifier.isPublic(each.getModifiers()) && !each.isSynthetic())
          .forEach(each -> {
            long numbers = Arrays.stream(each.getParameterTypes())
                .filter(NUMBERS::contains)
                .count();
            if (numbers > 0) {
              found.put(named(type, each), numbers);
            }
          });
    }
    return found;
  }

  /** What a builder has of a base is a setting of each. */
  private static Executable[] inherited(Class<?> type) {
    Class<?> base = type.getSuperclass();
    return base == RpcBuilder.class ? base.getDeclaredMethods() : new Executable[0];
  }

  private static String named(Class<?> type, Executable method) {
    String parameters = Arrays.stream(method.getParameterTypes())
        .map(Class::getSimpleName)
        .collect(Collectors.joining(", ", "(", ")"));
    String owner = type.getName().replaceFirst(".*\\.", "").replace('$', '.');
    return owner
        + (method.getName().equals(type.getName()) ? "" : "." + method.getName())
        + parameters;
  }

  /** Returns the public types of this module, and of others what these take. */
  private static Set<Class<?>> types() throws Exception {
    Set<Class<?>> types = new LinkedHashSet<>();
    try (ClassesWithout classes = new ClassesWithout(RpcServer.class, entry -> false)) {
      for (String name : classes.names()) {
        Class<?> type = Class.forName(name, false, SettingsEdgesTest.class.getClassLoader());
        if (isPublic(type)
            && type != RpcBuilder.class
            && !MessageLiteOrBuilder.class.isAssignableFrom(type)) {
          types.add(type);
        }
      }
    }
    List<Class<?>> taken = new ArrayList<>();
    for (Class<?> type : types) {
      Arrays.stream(type.getMethods())
          .flatMap(each -> Arrays.stream(each.getParameterTypes()))
          .filter(each -> each.getName().startsWith("dev.mullion."))
          .forEach(taken::add);
    }
    types.addAll(taken);
    types.removeAll(RESULTS);
    return types;
  }

  private static boolean isPublic(Class<?> type) {
    Class<?> outer = type.getEnclosingClass();
    return Modifier.isPublic(type.getModifiers()) && (outer == null || isPublic(outer));
  }

  /** One edge of one setting. */
  private record Edge(Row<Object> row, Object value) {
    @Override
    public String toString() {
      return row + " " + value;
    }
  }

  /** Some wait for a second: a few of them run side by side. */
  @SuppressWarnings("unchecked") // Each row has values of its own type.
  static List<List<Edge>> edges() {
    List<Edge> all = rows().stream()
        .flatMap(row -> row.allowed().stream().map(value -> new Edge((Row<Object>) row, value)))
        .toList();
    List<List<Edge>> groups = new ArrayList<>();
    List<Edge> group = new ArrayList<>();
    for (Edge edge : all) {
      // A server and a channel are at the same port of the machine.
      if (edge.row().name().equals("port")) {
        groups.add(List.of(edge));
      } else {
        group.add(edge);
      }
      if (group.size() == SIDE_BY_SIDE) {
        groups.add(List.copyOf(group));
        group.clear();
      }
    }
    groups.add(group);
    return groups;
  }

  static Stream<Arguments> beyond() {
    return cases(Row::refused);
  }

  private static Stream<Arguments> cases(Function<Row<?>, List<?>> values) {
    return rows().stream()
        .flatMap(row -> values.apply(row).stream().map(value -> Arguments.of(row, value)));
  }

  @ParameterizedTest
  @MethodSource("edges")
  void worksAtItsEdges(List<Edge> edges) throws Exception {
    Threads.forEach(edges, edge -> edge.row().use().at(edge.value()));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("beyond")
  void isRefusedBeyondThem(Row<Object> row, Object value) {
    Throwable refused = catchThrowable(() -> row.use().at(value));

    assertThat(refused).isInstanceOf(IllegalArgumentException.class);
    assertThat(refused)
        .message()
        .matches(
            row.name() + ": " + Pattern.quote(value.toString()) + " \\(expected: .*[0-9].*\\)");
  }

  /** Settings that contradict each other are named with both values. */
  @Test
  void contradictionsAreRefused() {
    Duration two = Duration.ofSeconds(2);
    Duration one = Duration.ofSeconds(1);
    contradicts(
        server().defaultTimeout(two).maxTimeout(one)::start,
        "defaultTimeout: PT2S (expected: <= maxTimeout: PT1S)");
    contradicts(
        server().shutdownDelay(two).closeTimeout(two)::start,
        "shutdownDelay: PT2S (expected: < closeTimeout: PT2S)");
    contradicts(
        server().shutdownDelay(EdgeRows.GREATEST).closeTimeout(EdgeRows.GREATEST)::start,
        "shutdownDelay: " + EdgeRows.GREATEST + " (expected: < closeTimeout: " + EdgeRows.GREATEST
            + ")");
    contradicts(
        server().maxConnectionAgeGrace(one)::start,
        "maxConnectionAgeGrace: PT1S (expected: maxConnectionAge set)");
    contradicts(
        server().maxHandlerThreads(7).directExecutor()::start,
        "maxHandlerThreads: 7 (expected: neither directExecutor nor executor set)");
    contradicts(
        RpcChannel.builder().address("localhost", 1).perRpcBufferLimit(6).retryBufferSize(5)::build,
        "perRpcBufferLimit: 6 (expected: <= retryBufferSize: 5)");
    contradicts(
        RetryPolicy.builder().initialBackoff(two).maxBackoff(one)::build,
        "initialBackoff: PT2S (expected: <= maxBackoff: PT1S)");
    contradicts(
        RpcChannel.builder()
            .address("localhost", 1)
            .retryPolicy(RetryPolicy.builder().throttling(5, 1).build(), "a.B")
            .hedgingPolicy(HedgingPolicy.builder().throttling(6, 1).build(), "a.C")::build,
        "throttling: maxTokens=5, tokenRatio=1.0 and maxTokens=6, tokenRatio=1.0 "
            + "(expected: the same in all policies of a channel)");
    // A reply of health has two bytes, so no server would ever be called.
    contradicts(
        twice(1).maxInboundMessageSize(1)::build,
        "maxInboundMessageSize: 1 (expected: >= 2 for replies of the healthCheck)");
  }

  private static RpcServerBuilder server() {
    return RpcServer.builder().addService(EdgeRows.echo());
  }

  private static RpcChannelBuilder twice(int port) {
    return RpcChannel.builder().address("127.0.0.1", port).address("127.0.0.1", port);
  }

  private static void contradicts(ThrowingCallable start, String message) {
    assertThatIllegalStateException().isThrownBy(start).withMessage(message);
  }

  private static Stream<Arguments> pair(
      String name, UnaryOperator<RpcServerBuilder> server, UnaryOperator<RpcChannelBuilder> to) {
    return Stream.of(Arguments.of(name, server, to));
  }

  /** Pairs that look as if they contradicted each other, and do not. */
  static Stream<Arguments> pairs() {
    Duration hour = Duration.ofHours(1);
    Duration tenSeconds = Duration.ofSeconds(10);
    return Stream.of(
            pair(
                "a connection may have more calls than all",
                server -> server.maxCalls(1).maxCallsPerConnection(1_000),
                to -> to),
            pair(
                "a reply may be longer than what may wait",
                server ->
                    server.maxOutboundMessageSize(Integer.MAX_VALUE).maxPendingReplyBytes(100),
                to -> to),
            pair(
                "an answer to a ping may take longer than the next ping",
                server -> server.keepalive(new Keepalive(tenSeconds, hour, true)),
                to -> to.keepalive(new Keepalive(tenSeconds, hour, true))),
            pair(
                "a timeout of a method may be longer than maxTimeout",
                server -> server.maxTimeout(tenSeconds).timeout(TestService.UNARY, hour),
                to -> to),
            pair(
                "no defaultTimeout",
                server -> server.defaultTimeout(Duration.ZERO).maxTimeout(tenSeconds),
                to -> to),
            pair(
                "a thread may be waited for longer than a call lasts",
                server -> server.maxTimeout(tenSeconds).handlerThreadTimeout(hour),
                to -> to),
            pair(
                "grace longer than age",
                server -> server.maxConnectionAge(tenSeconds).maxConnectionAgeGrace(hour),
                to -> to),
            pair(
                "age shorter than idle",
                server -> server.maxConnectionAge(tenSeconds).maxConnectionIdle(hour),
                to -> to),
            pair(
                "a pause between attempts longer than the call",
                server -> server,
                to -> to.defaultTimeout(tenSeconds)
                    .retryPolicy(RetryPolicy.builder()
                        .maxBackoff(hour)
                        .initialBackoff(hour)
                        .build())),
            pair(
                "more attempts than tokens",
                server -> server,
                to -> to.retryPolicy(
                    RetryPolicy.builder().maxAttempts(100).throttling(3, 1).build())))
        .flatMap(Function.identity());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("pairs")
  void pairsThatDoNotContradictEachOtherWork(
      String name, UnaryOperator<RpcServerBuilder> set, UnaryOperator<RpcChannelBuilder> to)
      throws Exception {
    RpcServer server = start(set.apply(server()));
    RpcChannel channel = closing(to.apply(EdgeRows.to(server)).build());

    EdgeRows.exchange(channel, EdgeRows.MORE);
  }

  /** The reply of health was refused for its two bytes, and no server was called. */
  @Test
  void healthIsHeardWhateverMessagesMayHave() throws Exception {
    RpcServer server = start(server().maxOutboundMessageSize(1).maxInboundMessageSize(1));

    EdgeRows.exchange(closing(twice(server.port()).maxInboundMessageSize(2).build()), "");
    EdgeRows.exchange(
        closing(twice(server.port()).maxInboundMessageSize(1).healthCheck(false).build()), "");
  }

  /** A call that waits until it is ready was ended for its own bytes, though its client read. */
  @Test
  void streamIsNotEndedByItsOwnMessages() throws Exception {
    int large = 60_000;
    RpcServer server = start(server().maxPendingReplyBytes(100_000));

    EdgeRows.exchange(closing(EdgeRows.to(server).build()), "x".repeat(large));
    assertThat(server.counters().repliesRefused()).isZero();
  }
}
