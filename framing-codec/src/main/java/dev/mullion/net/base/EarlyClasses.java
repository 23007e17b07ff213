package dev.mullion.net.base;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * Loads this library's classes before the first connection, where they are in a folder instead of a
 * jar. When a process runs out of file descriptors, a class in a folder cannot be read, and the JVM
 * does not try again: connections could then not end, even later. A jar stays open.
 */
public final class EarlyClasses {
  private static final System.Logger LOG = System.getLogger(EarlyClasses.class.getName());
  private static final String PACKAGES = "dev/mullion";
  private static final String SUFFIX = ".class";

  /** Those whose classes have been loaded. */
  private static final Set<URI> FOLDERS = ConcurrentHashMap.newKeySet();

  /** Once for each class: a client would otherwise look for its file each time it connects. */
  private static final ClassValue<Boolean> LOADED = new ClassValue<>() {
    @Override
    protected Boolean computeValue(Class<?> member) {
      loadModule(member);
      return true;
    }
  };

  static {
    // The JDK reads its time zones from a file, for lines of a log. Without a descriptor the first
    // line would fail, and with it an event loop that Netty or gRPC logs on; later ones would too.
    LOG.log(Level.TRACE, "time zone: {0}", ZoneId.systemDefault().getRules());
  }

  private EarlyClasses() {}

  /** Loads the classes of the module of this class, and of the modules below it. */
  public static void load(Class<?> member) {
    LOADED.get(EarlyClasses.class);
    LOADED.get(member);
  }

  private static void loadModule(Class<?> member) {
    try {
      URL file = member.getResource(member.getSimpleName() + SUFFIX);
      if (file != null && file.getProtocol().equals("file")) {
        loadFolder(root(member, Path.of(file.toURI())), member.getClassLoader());
      }
    } catch (IOException | UncheckedIOException | URISyntaxException e) {
      LOG.log(Level.DEBUG, "classes are loaded when they are needed", e);
    }
  }

  private static Path root(Class<?> type, Path file) {
    return file.resolve("../".repeat(type.getName().split("\\.").length)).normalize();
  }

  private static void loadFolder(Path root, ClassLoader loader) throws IOException {
    if (!FOLDERS.add(root.toUri())) {
      return;
    }
    try (Stream<Path> files = Files.walk(root.resolve(PACKAGES))) {
      files
          .map(file -> root.relativize(file).toString())
          .filter(name -> name.endsWith(SUFFIX) && !name.endsWith("-info" + SUFFIX))
          .forEach(name -> loadClass(name, loader));
    }
  }

  private static void loadClass(String file, ClassLoader loader) {
    String name =
        file.substring(0, file.length() - SUFFIX.length()).replace('/', '.').replace('\\', '.');
    try {
      Class.forName(name, false, loader);
    } catch (ClassNotFoundException | LinkageError absent) {
      // It needs an optional library that is not there.
      LOG.log(Level.TRACE, "not loaded early", absent);
    }
  }
}
