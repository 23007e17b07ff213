package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Messages name settings that exist, by the names that they have. */
class ErrorTextTest {
  private static final Path SOURCES = Path.of("src/main/java/dev/mullion/framing");
  private static final Pattern COMMENT = Pattern.compile("/\\*.*?\\*/|//[^\n]*", Pattern.DOTALL);
  private static final Pattern TEXT = Pattern.compile("\"((?:[^\"\\\\\n]|\\\\.)*)\"");
  private static final Pattern NAME = Pattern.compile("\\b[a-z]+(?:[A-Z][a-z0-9]*)+\\b");
  private static final Pattern NULL_CHECK =
      Pattern.compile("requireNonNull\\((\\w+), \"(\\w+)\"\\)");

  /** The settings, and what {@code toString()} names beside them. */
  private static final Set<String> NAMES = Stream.of(
          FrameFormat.Builder.class,
          LengthDelimitedCodec.Builder.class,
          LengthEncoding.class,
          FrameCounters.class)
      .flatMap(type -> Arrays.stream(type.getMethods()))
      .map(Method::getName)
      .collect(Collectors.toSet());

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      return files.filter(file -> file.toString().endsWith(".java")).sorted().toList();
    }
  }

  private static String code(Path source) throws IOException {
    return COMMENT.matcher(Files.readString(source)).replaceAll("");
  }

  @ParameterizedTest
  @MethodSource("sources")
  void namesInTextsAreThoseOfSettings(Path source) throws IOException {
    Set<String> named = TEXT.matcher(code(source))
        .results()
        .flatMap(text -> NAME.matcher(text.group(1)).results())
        .map(MatchResult::group)
        .collect(Collectors.toCollection(TreeSet::new));

    assertThat(NAMES).containsAll(named);
  }

  @Test
  void everySettingOfTheFormatIsNamedInSomeText() throws IOException {
    StringBuilder all = new StringBuilder();
    for (Path source : sources()) {
      TEXT.matcher(code(source))
          .results()
          .forEach(text -> all.append(text.group(1)).append('\n'));
    }

    assertThat(Arrays.stream(FrameFormat.Builder.class.getDeclaredMethods())
            .filter(setter -> setter.getReturnType() == FrameFormat.Builder.class)
            .map(Method::getName)
            .filter(setter -> !setter.equals("copy")))
        .hasSize(10)
        .allSatisfy(setter -> assertThat(all).contains(setter));
  }

  @ParameterizedTest
  @MethodSource("sources")
  void nullsAreNamedByTheirOwnNames(Path source) throws IOException {
    assertThat(NULL_CHECK.matcher(code(source)).results())
        .allSatisfy(check -> assertThat(check.group(2)).isEqualTo(check.group(1)));
  }

  private static Stream<Method> numberSetters() {
    return Arrays.stream(FrameFormat.Builder.class.getMethods())
        .filter(method -> Arrays.equals(method.getParameterTypes(), new Class<?>[] {int.class}))
        .filter(method -> !method.getName().equals("lengthAdjustment"));
  }

  @ParameterizedTest
  @MethodSource("numberSetters")
  void setterNamesItselfAndTheNumber(Method setter) {
    assertThatThrownBy(() -> setter.invoke(FrameFormat.builder(), Integer.MIN_VALUE))
        .isInstanceOf(InvocationTargetException.class)
        .cause()
        .isInstanceOf(IllegalArgumentException.class)
        .message()
        .matches(setter.getName() + ": -2147483648 \\(expected: .+\\)");
  }
}
