// Names that belong to whoever releases, each in this one place. Change one here, and test/names.test.ts lists the texts that
// still have the old one. What else must be decided before the first release is in CONTRIBUTING.md.

/** The scope of the packages on npm. */
export const NPM_SCOPE = "@eventbus";

/** The module of clients/go: the address at which `go get` finds that folder. */
export const GO_MODULE = "eventbus.example/client";

/** The name of clients/python on PyPI. */
export const PYTHON_PACKAGE = "eventbus-client";

/** Who maintains the packages for Debian and Red Hat; `.invalid` is no address. */
export const MAINTAINER = "The maintainers of eventbus <maintainers@eventbus.invalid>";
