package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.lang.module.Configuration;
import java.lang.module.ModuleFinder;
import java.lang.reflect.Executable;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A framework that lists the methods of a class, such as Spring or a mock, loads all types in their
 * signatures. So only classes that are of no use without an optional library may name its types.
 */
class OptionalLibrariesTest {
  private static final List<String> DOORS =
      List.of("ProtobufCodec", "JsonCodec", "MessagingMetrics", "MessagingTraces");

  /** Classes of this module, and its tests, where no optional library is on the class path. */
  private static final class Without extends URLClassLoader {
    Without() throws IOException {
      super(urls(), ClassLoader.getPlatformClassLoader());
    }

    private static URL[] urls() throws IOException {
      List<URL> urls = new ArrayList<>();
      urls.add(place(Messaging.class).toUri().toURL());
      urls.add(place(OptionalLibrariesTest.class).toUri().toURL());
      // In a build on the module path, tests are a patch of the module: only Surefire knows where.
      for (String property :
          List.of("jdk.module.path", "java.class.path", "surefire.test.class.path")) {
        for (String entry : System.getProperty(property, "").split(File.pathSeparator, -1)) {
          if (entry.matches(".*(jspecify[^/]*jar|test-classes/?)")) {
            urls.add(Path.of(entry).toUri().toURL());
          }
        }
      }
      return urls.toArray(URL[]::new);
    }

    /** On a module path the platform's loader would find this module with all that it has. */
    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      synchronized (getClassLoadingLock(name)) {
        if (name.startsWith("java.") || name.startsWith("jdk.")) {
          return super.loadClass(name, resolve);
        }
        Class<?> loaded = findLoadedClass(name);
        return loaded != null ? loaded : findClass(name);
      }
    }
  }

  private static Path place(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<String> classes() throws IOException {
    Path classes = place(Messaging.class);
    try (Stream<Path> files = Files.walk(classes)) {
      return files
          .map(file -> classes.relativize(file).toString().replace(File.separatorChar, '.'))
          .filter(name -> name.endsWith(".class") && !name.contains("-info."))
          .map(name -> name.substring(0, name.length() - ".class".length()))
          .toList();
    }
  }

  private static List<Object> look(Class<?> type) {
    List<Object> seen = new ArrayList<>();
    Stream.<Executable[]>of(type.getDeclaredMethods(), type.getDeclaredConstructors())
        .flatMap(Arrays::stream)
        .forEach(each -> seen.add(List.of(each.toGenericString(), each.getAnnotations())));
    Arrays.stream(type.getDeclaredFields()).forEach(each -> seen.add(each.toGenericString()));
    seen.addAll(List.of(type.getDeclaredClasses()));
    seen.addAll(List.of(type.getGenericInterfaces()));
    seen.add(type.toGenericString());
    return seen;
  }

  @Test
  void allPublicClassesCanBeReflectedOn() throws Exception {
    List<String> unreadable = new ArrayList<>();
    try (Without loader = new Without()) {
      for (String name : classes()) {
        if (!Modifier.isPublic(Class.forName(name).getModifiers())) {
          continue;
        }
        try {
          look(Class.forName(name, true, loader));
        } catch (ClassNotFoundException | LinkageError | TypeNotPresentException missing) {
          unreadable.add(name.substring(name.lastIndexOf('.') + 1));
        }
      }
    }

    assertThat(unreadable).containsExactlyInAnyOrderElementsOf(DOORS);
    assertThat(classes()).hasSizeGreaterThan(80);
  }

  /** Is loaded again, and asks for what is absent; the arguments are not looked at. */
  @SuppressWarnings("NullAway")
  public static final class Asking implements Callable<String> {
    private final int which;

    /** Called by reflection. */
    public Asking(int which) {
      this.which = which;
    }

    @Override
    public String call() throws Exception {
      switch (which) {
        case 0 -> ProtobufCodec.of(null);
        case 1 -> JsonCodec.of(String.class);
        case 2 -> MessagingMetrics.bind(null, null);
        case 3 -> MessagingTraces.observer(null);
        default -> {
          MessagingBuilder builder = Messaging.builder(EmbeddedEngine.inMemory());
          builder.start().close();
        }
      }
      return "no failure";
    }
  }

  @Test
  void whatIsAbsentIsNamed() throws Exception {
    List<String> expected = List.of(
        "ProtobufCodec needs com.google.protobuf:protobuf-java on the class path",
        "JsonCodec needs com.fasterxml.jackson.core:jackson-databind on the class path",
        "MessagingMetrics needs io.micrometer:micrometer-core on the class path",
        "MessagingTraces needs io.opentelemetry:opentelemetry-api on the class path");
    try (Without loader = new Without()) {
      for (int i = 0; i < expected.size(); i++) {
        Callable<?> asking = asking(loader, i);
        assertThatThrownBy(asking::call)
            .isInstanceOf(IllegalStateException.class)
            .hasMessage(expected.get(i));
      }
    }
  }

  /** It said the class path, where the library would have had no effect. */
  @Test
  void whatIsAbsentOnTheModulePathIsNamedWithItsModule(@TempDir Path directory) throws Exception {
    Path classes = place(Messaging.class);
    assumeTrue(
        !Files.isDirectory(classes) || Files.exists(classes.resolve("module-info.class")),
        "compiled without its module descriptor");
    Configuration modules = ModuleLayer.boot()
        .configuration()
        .resolve(ModuleFinder.of(classes), ModuleFinder.of(), List.of("dev.mullion.messaging"));
    ClassLoader loader = ModuleLayer.boot()
        .defineModulesWithOneLoader(modules, ClassLoader.getPlatformClassLoader())
        .findLoader("dev.mullion.messaging");
    Object builder =
        loader.loadClass(EmbeddedEngine.class.getName()).getMethod("builder").invoke(null);
    builder.getClass().getMethod("directory", Path.class).invoke(builder, directory);
    Object engine = builder.getClass().getMethod("build").invoke(builder);

    assertThatThrownBy(() -> engine.getClass().getMethod("start").invoke(engine))
        .cause()
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("directory: " + directory + " needs com.h2database:h2-mvstore on the module"
            + " path, with --add-modules com.h2database.mvstore");
    assertThat(directory).isEmptyDirectory();
  }

  private static Callable<?> asking(ClassLoader loader, int which) throws Exception {
    return Class.forName(Asking.class.getName(), true, loader)
        .asSubclass(Callable.class)
        .getConstructor(int.class)
        .newInstance(which);
  }
}
