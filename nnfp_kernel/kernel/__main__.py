"""What Jupyter starts."""

from ipykernel.kernelapp import IPKernelApp

from .kernel import NnfpKernel

IPKernelApp.launch_instance(kernel_class=NnfpKernel)
