package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the READMEs show stands in the examples that are built and run. */
class ReadmeTest {
  private static final Path HELLO = Path.of("../examples/hello");
  private static final Path SOURCES = HELLO.resolve("src/main/java/com/example/hello");
  private static final Path EXAMPLE = Path.of("../examples/streaming");
  private static final List<String> MODULES = List.of(
      "../framing-codec",
      ".",
      "messaging",
      "messaging-grpc",
      "messaging-kafka",
      "messaging-rabbitmq",
      "messaging-tck");
  private static final Pattern EXPORTED = Pattern.compile("exports ([\\w.]+);");
  private static final Pattern CLASS = Pattern.compile("<code>([A-Z]\\w+)</code>");
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

  /** Whoever copies them has the example, to the letter. */
  @Test
  void tutorialIsTheExample() throws IOException {
    String readme = Files.readString(Path.of("README.md"));
    int pom = readme.indexOf("```xml\n<project") + "```xml\n".length();

    assertThat(readme)
        .contains("```proto\n" + text(HELLO.resolve("src/main/protobuf/hello.proto")) + "```")
        .contains("```java\n" + text(SOURCES.resolve("HelloServer.java")) + "```")
        .contains("```java\n" + text(SOURCES.resolve("HelloClient.java")) + "```");
    assertThat(text(HELLO.resolve("pom.xml")))
        .startsWith(readme.substring(pom, readme.indexOf("</project>", pom)));
  }

  @Test
  void codeIsThatOfTheExamples() throws IOException {
    String examples = words(sources(EXAMPLE) + sources(HELLO));
    List<String> shown = JAVA.matcher(Files.readString(Path.of("README.md")))
        .results()
        .map(block -> block.group(1))
        .toList();

    assertThat(shown).hasSizeGreaterThan(3);
    assertThat(shown).allSatisfy(block -> assertThat(examples).contains(words(block)));
  }

  @Test
  void programOfTheMainReadmeIsThatOfTheExample() throws IOException {
    String readme = Files.readString(Path.of("../README.md"));
    String server = JAVA.matcher(readme)
        .results()
        .map(block -> block.group(1))
        .filter(block -> block.contains("RpcServer"))
        .collect(Collectors.joining());

    assertThat(text(SOURCES.resolve("HelloServer.java"))).contains(server);
    assertThat(server).contains("awaitTermination", "shutdownHook(true)");
  }

  /** The landing page of the Javadoc of all modules. */
  @Test
  void mapNamesEachPackageAndClassesThatExist() throws IOException {
    String map = text(Path.of("../overview.html"));
    List<String> packages = MODULES.stream()
        .map(module -> text(Path.of(module, "src/main/java/module-info.java")))
        .flatMap(info -> EXPORTED.matcher(info).results().map(each -> each.group(1)))
        .toList();
    List<String> classes =
        CLASS.matcher(map).results().map(each -> each.group(1)).toList();

    assertThat(packages)
        .contains("dev.mullion.framing", "dev.mullion.rpc", "dev.mullion.messaging")
        .hasSizeGreaterThan(7);
    assertThat(packages).allSatisfy(each -> assertThat(map).contains("<code>" + each + "</code>"));
    assertThat(classes).contains("RpcServer");
    assertThat(classes)
        .allSatisfy(each -> assertThat(packages).anyMatch(in -> isThere(in + "." + each)));
  }

  private static String sources(Path example) throws IOException {
    try (Stream<Path> files = Files.walk(example.resolve("src/main"))) {
      return files.filter(Files::isRegularFile).map(ReadmeTest::text).collect(Collectors.joining());
    }
  }

  /** Not all modules are on this one's class path. */
  private static boolean isThere(String type) {
    String file = "src/main/java/" + type.replace('.', '/') + ".java";
    return MODULES.stream().anyMatch(module -> Files.exists(Path.of(module, file)));
  }

  private static String text(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The layout is not the same in both. */
  private static String words(String code) {
    return code.replaceAll("\\s+", "");
  }
}
