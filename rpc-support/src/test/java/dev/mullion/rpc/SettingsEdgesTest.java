package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.MessageLiteOrBuilder;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.ClassesWithout;
import dev.mullion.rpc.SettingsEdges.Row;
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
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each setting that is a number or a time works at its least and at its greatest value, and is refused
 * one step beyond them in a text with the value and its name.
 */
class SettingsEdgesTest extends RpcTest {
  private static final Set<Class<?>> NUMBERS =
      Set.of(int.class, long.class, float.class, double.class, Duration.class);

  /** What is returned to the user, rather than set. */
  private static final Set<Class<?>> RESULTS =
      Set.of(CallRecord.class, StopReport.class, TlsState.class);

  /** A new setting without a row is found here. */
  @Test
  void eachSettingHasItsRow() throws Exception {
    Map<String, Long> rows = SettingsEdges.all().stream()
        .collect(Collectors.groupingBy(Row::setting, TreeMap::new, Collectors.counting()));

    assertThat(rows).isEqualTo(settings());
    assertThat(SettingsEdges.all()).allSatisfy(row -> {
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
      Stream.<Executable[]>of(type.getDeclaredMethods(), type.getDeclaredConstructors())
          .flatMap(Arrays::stream)
          .filter(each -> Modifier.isPublic(each.getModifiers()) && !each.isSynthetic())
          .forEach(each -> {
            long numbers =
                Arrays.stream(each.getParameterTypes()).filter(NUMBERS::contains).count();
            if (numbers > 0) {
              found.put(named(type, each), numbers);
            }
          });
    }
    return found;
  }

  private static String named(Class<?> type, Executable method) {
    String parameters = Arrays.stream(method.getParameterTypes())
        .map(Class::getSimpleName)
        .collect(Collectors.joining(", ", "(", ")"));
    String owner = type.getName().replaceFirst(".*\\.", "").replace('$', '.');
    return owner + (method.getName().equals(type.getName()) ? "" : "." + method.getName())
        + parameters;
  }

  /** Returns the public types of this module, and of others what these take. */
  private static Set<Class<?>> types() throws Exception {
    Set<Class<?>> types = new LinkedHashSet<>();
    try (ClassesWithout classes = new ClassesWithout(RpcServer.class, entry -> false)) {
      for (String name : classes.names()) {
        Class<?> type = Class.forName(name, false, SettingsEdgesTest.class.getClassLoader());
        if (isPublic(type) && !MessageLiteOrBuilder.class.isAssignableFrom(type)) {
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

  static Stream<Arguments> edges() {
    return cases(Row::allowed);
  }

  static Stream<Arguments> beyond() {
    return cases(Row::refused);
  }

  private static Stream<Arguments> cases(Function<Row<?>, List<?>> values) {
    return SettingsEdges.all().stream()
        .flatMap(row -> values.apply(row).stream().map(value -> Arguments.of(row, value)));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("edges")
  void worksAtItsEdges(Row<Object> row, Object value) throws Exception {
    row.use().at(value);
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("beyond")
  void isRefusedBeyondThem(Row<Object> row, Object value) {
    Throwable refused = catchThrowable(() -> row.use().at(value));

    assertThat(refused).isInstanceOf(IllegalArgumentException.class);
    assertThat(refused)
        .message()
        .matches(row.name() + ": " + Pattern.quote(value.toString()) + " \\(expected: .*[0-9].*\\)");
  }
}
