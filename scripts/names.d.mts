export const NPM_SCOPE: string;
export const GO_MODULE: string;
export const PYTHON_PACKAGE: string;
export const MAINTAINER: string;
