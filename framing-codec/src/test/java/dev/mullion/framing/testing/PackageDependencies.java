package dev.mullion.framing.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Which packages of Mullion the packages of a module depend on, as its class files say. */
public final class PackageDependencies {
  /** A class's name in the constant pool, also inside of descriptors. */
  private static final Pattern NAME = Pattern.compile("dev/mullion/([a-z/]+)/[A-Z]");

  private PackageDependencies() {}

  /** The module is that of a class of its; its classes must be in a directory. */
  public static Map<String, Set<String>> of(Class<?> ofModule)
      throws IOException, URISyntaxException {
    Path classes =
        Path.of(ofModule.getProtectionDomain().getCodeSource().getLocation().toURI());
    Map<String, Set<String>> found = new TreeMap<>();
    try (Stream<Path> files = Files.walk(classes.resolve("dev/mullion"))) {
      for (Path file : files.filter(each -> each.toString().endsWith(".class")).toList()) {
        String own = classes.resolve("dev/mullion").relativize(file.getParent()).toString();
        Set<String> others = found.computeIfAbsent(dots(own), any -> new TreeSet<>());
        String content = new String(Files.readAllBytes(file), ISO_8859_1);
        NAME.matcher(content)
            .results()
            .map((MatchResult name) -> dots(name.group(1)))
            .filter(name -> !name.equals(dots(own)))
            .forEach(others::add);
      }
    }
    return found;
  }

  private static String dots(String path) {
    return path.replace('\\', '/').replace('/', '.');
  }
}
