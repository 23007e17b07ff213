package dev.mullion.framing.testing;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Executable;
import java.net.MalformedURLException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * The classes of a module in a class loader that lacks some of this JVM's class path. Each is
 * looked at as a framework does that makes beans or mocks of it: all members, with all types in
 * their signatures.
 */
public final class ClassesWithout implements AutoCloseable {
  private static final String CLASS = ".class";

  private final Path classes;
  private final URLClassLoader loader;

  /** The module is that of a class of its; its classes must be in a directory. */
  public ClassesWithout(Class<?> ofModule, Predicate<String> absent) throws IOException {
    this(ofModule, absent, UnaryOperator.identity());
  }

  /** In place of entries of the class path there may be others. */
  public ClassesWithout(Class<?> ofModule, Predicate<String> absent, UnaryOperator<String> replaced)
      throws IOException {
    try {
      classes =
          Path.of(ofModule.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IOException(e);
    }
    URL[] present = Stream.concat(
            Stream.of(classes.toString()),
            Stream.of("jdk.module.path", "surefire.test.class.path", "java.class.path")
                .flatMap(
                    each -> Arrays.stream(System.getProperty(each, "").split(File.pathSeparator))))
        .filter(entry -> !entry.isEmpty() && !absent.test(entry))
        .map(replaced)
        .map(ClassesWithout::url)
        .toArray(URL[]::new);
    loader = new Without(present);
  }

  /**
   * Takes from elsewhere the JDK's classes only: on a module path the loader of the platform would
   * find those of the module under test, with all that it has.
   */
  private static final class Without extends URLClassLoader {
    Without(URL[] present) {
      super(present, null);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
      try {
        return super.findClass(name);
      } catch (ClassNotFoundException absent) {
        Class<?> found = ClassLoader.getPlatformClassLoader().loadClass(name);
        String module = String.valueOf(found.getModule().getName());
        if (module.startsWith("java.") || module.startsWith("jdk.")) {
          return found;
        }
        throw absent;
      }
    }
  }

  private static URL url(String entry) {
    try {
      return Path.of(entry).toUri().toURL();
    } catch (MalformedURLException e) {
      throw new IllegalArgumentException(entry, e);
    }
  }

  /** Returns a class as it is without them. */
  public Class<?> load(String name) throws ClassNotFoundException {
    return Class.forName(name, true, loader);
  }

  /** Returns the names of all classes of the module. */
  public List<String> names() throws IOException {
    try (Stream<Path> files = Files.walk(classes)) {
      return files
          .map(file -> classes.relativize(file).toString().replace(File.separatorChar, '.'))
          .filter(name -> name.endsWith(CLASS) && !name.contains("-info."))
          .map(name -> name.substring(0, name.length() - CLASS.length()))
          .sorted()
          .toList();
    }
  }

  /** Returns what is missing, by the names of the classes that cannot be looked at. */
  public Map<String, String> unreadable() throws IOException {
    Map<String, String> failed = new TreeMap<>();
    for (String name : names()) {
      try {
        look(load(name));
      } catch (ClassNotFoundException | LinkageError | TypeNotPresentException missing) {
        failed.put(name, String.valueOf(missing.getMessage()));
      }
    }
    return failed;
  }

  /** Returns all that it has seen. */
  private static List<Object> look(Class<?> type) {
    List<Object> seen = new ArrayList<>();
    Stream.<Executable[]>of(
            type.getMethods(),
            type.getDeclaredMethods(),
            type.getConstructors(),
            type.getDeclaredConstructors())
        .flatMap(Arrays::stream)
        .forEach(each -> seen.add(List.of(each.toGenericString(), each.getAnnotations())));
    Stream.of(type.getFields(), type.getDeclaredFields())
        .flatMap(Arrays::stream)
        .forEach(each -> seen.add(each.toGenericString()));
    seen.addAll(List.of(type.getClasses()));
    seen.addAll(List.of(type.getDeclaredClasses()));
    seen.addAll(List.of(type.getGenericInterfaces()));
    seen.addAll(List.of(type.getAnnotations()));
    seen.add(type.toGenericString());
    return seen;
  }

  @Override
  public void close() throws IOException {
    loader.close();
  }
}
