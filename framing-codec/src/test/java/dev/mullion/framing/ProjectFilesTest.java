package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Lists in files of the project that are easily forgotten when something is added or renamed. */
class ProjectFilesTest {
  private static final Path ROOT = Path.of("..");
  private static final Path EXAMPLES = ROOT.resolve("examples");

  /** A command with a class that is gone, or with classes joined by a plus, runs no test. */
  @Test
  void commandsNameTestsThatExist() throws IOException {
    String contributing = Files.readString(ROOT.resolve("CONTRIBUTING.md"));

    List<String> tests = matches(contributing, "-Dtest=([\\w,+]+)")
        .flatMap(list -> Stream.of(list.split(",")))
        .toList();

    assertThat(tests)
        .hasSizeGreaterThan(10)
        .allSatisfy(name -> assertThat(names()).contains(name));
  }

  private static List<String> names() throws IOException {
    List<String> names = new ArrayList<>();
    for (String module : List.of("framing-codec", "rpc-support")) {
      try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src/test"))) {
        files
            .map(file -> file.getFileName().toString())
            .filter(name -> name.endsWith(".java"))
            .forEach(name -> names.add(name.substring(0, name.length() - ".java".length())));
      }
    }
    return names;
  }

  @Test
  void allExamplesAreBuilt() throws IOException {
    String all = Files.readString(EXAMPLES.resolve("all/pom.xml"));
    List<String> built = matches(all, "<module>\\.\\./(.*)</module>").toList();

    assertThat(built).containsExactlyInAnyOrderElementsOf(examples());
  }

  /** Other versions would be fetched after each clean. */
  @Test
  void versionsOfTheExamplesAreFetchedOnce() throws IOException {
    String versions = "<(picocli|spring-boot)\\.version>.*</.*>";
    String fetched = Files.readString(EXAMPLES.resolve("pom.xml"));

    for (String example : examples()) {
      String pom = Files.readString(EXAMPLES.resolve(example).resolve("pom.xml"));
      assertThat(Pattern.compile(versions).matcher(pom).results().map(MatchResult::group))
          .as(example)
          .allSatisfy(version -> assertThat(fetched).contains(version));
    }
  }

  private static List<String> examples() throws IOException {
    try (Stream<Path> folders = Files.list(EXAMPLES)) {
      return folders
          .filter(folder -> Files.exists(folder.resolve("src")))
          .map(folder -> folder.getFileName().toString())
          .toList();
    }
  }

  private static Stream<String> matches(String text, String pattern) {
    return Pattern.compile(pattern).matcher(text).results().map(found -> found.group(1));
  }
}
