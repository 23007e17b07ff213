package dev.mullion.rpc;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/** What these tests run with, for a JVM of its own, in which there are no modules. */
final class ClassPath {
  private ClassPath() {}

  /** Starts a JVM with those entries of the class path that are wanted. */
  static Process java(Predicate<String> wanted, Class<?> main, String... options)
      throws IOException {
    return new ProcessBuilder(command(wanted, main, options)).start();
  }

  /** Returns the command that starts such a JVM. */
  static List<String> command(Predicate<String> wanted, Class<?> main, String... options) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    // They live for seconds.
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"));
    command.addAll(List.of(options));
    command.addAll(
        List.of("-cp", String.join(File.pathSeparator, entries(wanted)), main.getName()));
    return command;
  }

  private static List<String> entries(Predicate<String> wanted) {
    List<String> all = new ArrayList<>(List.of("target/test-classes", "target/classes"));
    for (String property : new String[] {"jdk.module.path", "java.class.path"}) {
      all.addAll(List.of(System.getProperty(property, "").split(File.pathSeparator)));
    }
    return all.stream().filter(entry -> !entry.isEmpty() && wanted.test(entry)).toList();
  }
}
